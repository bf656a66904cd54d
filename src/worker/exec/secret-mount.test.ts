import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { placeSecret, secretVariable } from './secret-mount.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-secrets-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const given = { key: Buffer.from('s3cret').toString('base64') };
const secret = {
  type: 'secret',
  id: 'key',
  uid: process.getuid!(),
  gid: process.getgid!(),
  mode: 0o440,
  optional: true,
} as const;
const mountOf = (mount: typeof secret & { readonly env?: string }) =>
  ({ input: -1, dest: '/s', output: -1, readonly: false, mount }) as const;

test('a file has the mode that is asked for, is read-only and cannot be executed', () => {
  const mount = placeSecret({ ...secret, target: '/s' }, given, dir)!;
  expect(mount).toMatchObject({ type: 'bind', target: '/s', readonly: true, inert: true });
  const { source } = mount as { source: string };
  expect(readFileSync(source, 'utf8')).toBe('s3cret');
  expect(statSync(source).mode & 0o7777).toBe(0o440);
  expect(placeSecret({ ...secret, mode: 0o555, target: '/s' }, given, dir)).not.toHaveProperty('inert');
});

test('a variable is no file, and a file no variable', () => {
  expect(secretVariable(mountOf({ ...secret, env: 'TOKEN' }), given)).toBe('TOKEN=s3cret');
  expect(placeSecret({ ...secret, env: 'TOKEN', target: '' }, given, dir)).toBe(undefined);
  expect(secretVariable(mountOf(secret), given)).toBe(undefined);
});

test('a missing one is left out, or refused when it is required', () => {
  const missing = { ...secret, id: 'none', target: '/s' };
  expect(placeSecret(missing, given, dir)).toBe(undefined);
  expect(() => placeSecret({ ...missing, optional: false }, given, dir)).toThrow('secret none: not found');
  expect(() => secretVariable(mountOf({ ...secret, id: 'none', env: 'X', optional: false } as never), given)).toThrow(
    'secret none: not found',
  );
});
