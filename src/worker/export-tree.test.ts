import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText } from '../base/bytes.js';
import { TreeView } from '../snapshot/tree-view.js';
import { Store } from '../store/store.js';
import { exportTree } from './export-tree.js';
import type { MachineParts } from './local-machine.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-export-'));
const source = path.join(dir, 'source');
const opts = { signal: new AbortController().signal };
const dest = path.join(dir, 'dest');
afterAll(() => {
  for (const one of [source, dest]) chmodSync(path.join(one, 'closed'), 0o755);
  rmSync(dir, { recursive: true, force: true });
});

test('the result takes the place of what has its names, follows no link, and keeps closed directories closed', async () => {
  for (const one of ['source/closed', 'source/dir', 'dest/file/below', 'elsewhere']) {
    mkdirSync(path.join(dir, one), { recursive: true });
  }
  writeFileSync(path.join(source, 'closed', 'in'), 'in');
  chmodSync(path.join(source, 'closed'), 0o555);
  writeFileSync(path.join(source, 'dir', 'x'), 'x');
  writeFileSync(path.join(source, 'file'), 'file');
  symlinkSync(path.join(dir, 'elsewhere'), path.join(dest, 'dir'));
  writeFileSync(path.join(dest, 'other'), 'stays');
  const { store, lease } = await Store.open(path.join(dir, 'store'), opts);
  const parts = {
    store,
    views: {
      openRef: async () => ({
        view: new TreeView(fromText(source)),
        locate: (at: string) => ({ kind: 'file', file: `${fromText(source)}/${at}` }),
        [Symbol.dispose]: () => undefined,
      }),
    },
  } as unknown as MachineParts;
  await exportTree({ ref: 'r', dest, form: 'directory' }, parts, opts);
  await lease.release();
  const text = (name: string): string => readFileSync(path.join(dest, name), 'utf8');
  expect([text('file'), text('dir/x'), text('closed/in'), text('other')]).toEqual(['file', 'x', 'in', 'stays']);
  expect(lstatSync(path.join(dest, 'dir')).isDirectory()).toBe(true);
  expect(lstatSync(path.join(dest, 'closed')).mode & 0o7777).toBe(0o555);
  expect(lstatSync(path.join(dir, 'elsewhere')).nlink).toBe(2);
  expect(() => lstatSync(path.join(dir, 'elsewhere', 'x'))).toThrow('ENOENT');
});
