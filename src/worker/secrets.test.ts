import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { SecretSource } from '../job/context.js';
import type { ExecOp } from '../llb/types.js';
import { secretsOf } from './secrets.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-secrets-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function lent(secrets: Readonly<Record<string, SecretSource>>, ...ids: readonly string[]) {
  const mounts = ids.map((id) => ({
    input: -1,
    dest: '/s',
    output: -1,
    readonly: false,
    mount: { type: 'secret', id, uid: 0, gid: 0, mode: 0o400, optional: true } as const,
  }));
  const meta = { args: [], env: [], cwd: '/', user: '' };
  const op: ExecOp = { kind: 'exec', meta, mounts, network: 'none', security: 'sandbox' };
  return secretsOf(op, { contexts: new Map(), secrets: new Map(Object.entries(secrets)) });
}

test('only what the step mounts is read, as bytes', async () => {
  const file = path.join(dir, 'key');
  writeFileSync(file, Buffer.from([0xff, 0x00]));
  const secrets = {
    file: { kind: 'file', path: file },
    text: { kind: 'value', value: 'é' },
    unread: { kind: 'file', path: path.join(dir, 'none') },
  } as const;
  expect(await lent(secrets, 'file', 'text', 'other')).toEqual({ file: '/wA=', text: 'w6k=' });
});

test('what cannot be read is an error without its content, a variable that is not set is missing', async () => {
  await expect(lent({ gone: { kind: 'file', path: path.join(dir, 'none') } }, 'gone')).rejects.toMatchObject({
    code: 'SECRET_NOT_FOUND',
  });
  const big = path.join(dir, 'big');
  writeFileSync(big, Buffer.alloc(500 * 1024 + 1, 'x'));
  await expect(lent({ big: { kind: 'file', path: big } }, 'big')).rejects.toThrow('larger than');
  expect(await lent({ unset: { kind: 'env', name: 'SLIPWAY_TEST_UNSET' } }, 'unset')).toEqual({});
});
