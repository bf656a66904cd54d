import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeCwd } from './root-fs.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'slipway-root-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(`${root}/dir`);
writeFileSync(`${root}/dir/file`, '');
symlinkSync('/dir', `${root}/link`);

test('a working directory is made where its links lead', () => {
  expect(makeCwd(root, '/link/new/er')).toBe('dir/new/er');
  expect(lstatSync(`${root}/dir/new/er`).isDirectory()).toBe(true);
  expect(makeCwd(root, '/')).toBe('');
});

test.each(['/link/file', '/link/file/below/it'])('a working directory on or below a file: %s', (cwd) => {
  expect(() => makeCwd(root, cwd)).toThrow(
    expect.objectContaining({
      code: 'RUN_FAILED',
      message: `working dir ${cwd} points to invalid target: /dir/file is not a directory`,
    }),
  );
});
