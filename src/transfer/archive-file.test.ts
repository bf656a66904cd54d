import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mkfifo } from '../base/linux/inode.js';
import { appendFile } from './append-file.js';
import { fileOf, tarOf, writeArchive } from './archive-file.js';

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

test('a file that appends itself gives the same archive, unless it is not what it should be', async () => {
  const content = Buffer.alloc(100_000, 'content');
  const [own, dest] = [path.join(dir, 'own'), path.join(dir, 'dest')];
  writeFileSync(own, content);
  const given = { ...fileOf('b/own', content), appendTo: (fd: number) => appendFile(own, fd, opts) };
  const bytes: Uint8Array[] = [];
  for await (const chunk of tarOf([...files, given])) bytes.push(chunk);
  await writeArchive(dest, [...files, given], opts);
  expect(readFileSync(dest).equals(Buffer.concat(bytes))).toBe(true);

  writeFileSync(own, 'less');
  await expect(writeArchive(dest, [...files, given], opts)).rejects.toThrow('gave 4 bytes instead of 100000');
  expect(readFileSync(dest).equals(Buffer.concat(bytes))).toBe(true);
});
