import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mkfifo } from '../base/linux/inode.js';
import { fileOf, writeArchive } from './archive-file.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-archive-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
const files = [fileOf('a', 'content')];

test('a file is replaced; a pipe and a link stay what they are and get the bytes', async () => {
  const [file, link, pipe] = ['file', 'link', 'pipe'].map((name) => path.join(dir, name)) as [string, string, string];
  writeFileSync(file, 'old');
  await writeArchive(file, files, opts);
  const bytes = readFileSync(file);
  expect(bytes.includes('content')).toBe(true);

  symlinkSync(path.join(dir, 'target'), link);
  await writeArchive(link, files, opts);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(path.join(dir, 'target'))).toEqual(bytes);

  mkfifo(pipe, 0o600);
  const read = readFile(pipe);
  await writeArchive(pipe, files, opts);
  expect(await read).toEqual(bytes);
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});
