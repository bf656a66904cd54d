import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { BlobTar } from './blob-tar.js';
import type { BlobFile } from './protocol.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-blob-tar-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const never = { signal: new AbortController().signal };
/** More than all slots of the ring. */
const CONTENT = Buffer.concat([randomBytes(3_000_000), Buffer.alloc(3_000_000, 'text'), randomBytes(1234)]);
const PACKED = gzipSync(CONTENT, { level: 1 });

function stored(name: string, bytes: Buffer): BlobFile {
  const file = path.join(dir, name);
  writeFileSync(file, bytes);
  return { file, size: bytes.length };
}

async function read(tar: BlobTar, slow = false): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of tar.chunks()) {
    if (slow) await sleep(5);
    parts.push(Buffer.from(chunk));
  }
  return Buffer.concat(parts);
}

test.each([
  ['gzip', PACKED],
  ['plain', CONTENT],
])('the bytes and their diffID (%s)', async (name, bytes) => {
  const told: number[] = [];
  const tar = new BlobTar(stored(name, bytes), { ...never, onProgress: (current) => told.push(current) });
  expect((await read(tar, true)).equals(CONTENT)).toBe(true);
  expect(tar.diffId).toBe(`sha256:${createHash('sha256').update(CONTENT).digest('hex')}`);
  expect(told.at(-1)).toBe(bytes.length);
  const unhashed = new BlobTar(stored(name, bytes), { ...never, hashing: 'reader' });
  expect((await read(unhashed)).equals(CONTENT)).toBe(true);
  expect(() => unhashed.diffId).toThrow('hashes');
});

test('a blob is read while it grows, wherever it lies then', async () => {
  const [file, growing] = [path.join(dir, 'whole'), path.join(dir, 'growing')];
  const tar = new BlobTar({ file, growing, size: PACKED.length }, never);
  const all = read(tar);
  await sleep(20);
  writeFileSync(growing, PACKED.subarray(0, 2_000_000));
  await sleep(20);
  const fd = openSync(growing, 'a');
  renameSync(growing, file);
  appendFileSync(fd, PACKED.subarray(2_000_000));
  closeSync(fd);
  expect((await all).equals(CONTENT)).toBe(true);
});

test('one that was to grow and is removed, or is too short, ends in an error', async () => {
  const [file, growing] = [path.join(dir, 'none'), path.join(dir, 'removed')];
  writeFileSync(growing, PACKED.subarray(0, 2_000_000));
  const onProgress = (): void => rmSync(growing, { force: true });
  const removed = read(new BlobTar({ file, growing, size: PACKED.length }, { ...never, onProgress }));
  await expect(removed).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  const short = { ...stored('short', PACKED), size: PACKED.length + 1 };
  for (const blob of [short, { ...short, growing }]) {
    await expect(read(new BlobTar(blob, never))).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  }
});

test('damage is told, and what the system says', async () => {
  const changed = Buffer.from(PACKED);
  changed[changed.length - 6]! ^= 1;
  const expected = { code: 'ARCHIVE_INVALID', message: 'a damaged gzip stream' };
  await expect(read(new BlobTar(stored('changed', changed), never))).rejects.toMatchObject(expected);
  const cut = stored('cut', PACKED.subarray(0, -1));
  await expect(read(new BlobTar(cut, never))).rejects.toMatchObject(expected);
  const absent = { file: path.join(dir, 'absent'), size: 1 };
  await expect(read(new BlobTar(absent, never))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('it stops when it is aborted, also while it waits, and when nobody reads on', async () => {
  const stop = new AbortController();
  const waiting = new BlobTar({ file: path.join(dir, 'x'), growing: path.join(dir, 'y'), size: 9 }, stop);
  const aborted = expect(read(waiting)).rejects.toThrow('enough');
  await sleep(50);
  stop.abort(new Error('enough'));
  await aborted;
  const left = new BlobTar(stored('left', PACKED), never);
  for await (const chunk of left.chunks()) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(() => left.diffId).toThrow('not read to its end');
});
