import { expect, test } from 'vitest';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf } from '../oci/digest.js';
import { UploadSource } from './upload-source.js';

const { signal } = new AbortController();
const bytes = Buffer.from('the bytes of one blob');
const target: Descriptor = { mediaType: mediaTypes.layer, digest: digestOf(bytes), size: bytes.length };
const log: string[] = [];

/** A source in chunks of four bytes that tells when it is opened and closed. */
const source = {
  async *open(): AsyncGenerator<Buffer, void, undefined> {
    log.push('open');
    try {
      for (let at = 0; at < bytes.length; at += 4) yield bytes.subarray(at, at + 4);
    } finally {
      log.push('close');
    }
  },
  readDocument: async (): Promise<Buffer> => bytes,
};

async function read(from: UploadSource, start: number, length: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of from.bytes(start, length)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function make(): UploadSource {
  log.length = 0;
  return new UploadSource(target, source, { signal });
}

test('pieces in order are read in one go', async () => {
  const one = make();
  expect(await read(one, 0, 6)).toBe('the by');
  expect(await read(one, 6, 3)).toBe('tes');
  expect(await read(one, 12, 9)).toBe(' one blob'.slice(0, 9));
  expect(log).toEqual(['open', 'close']);
});

test('for a piece that was sent already the source is read again', async () => {
  const one = make();
  expect(await read(one, 0, 6)).toBe('the by');
  expect(await read(one, 2, 4)).toBe('e by');
  await one.close();
  expect(log).toEqual(['open', 'open', 'close', 'close']);
});

test('a piece that is left in the middle closes the source, and hinders none that is read beside it', async () => {
  const one = make();
  const left = one.bytes(0, 21);
  await left.next();
  expect(await read(one, 0, 21)).toBe(bytes.toString());
  await left.return();
  expect(log).toEqual(['open', 'open', 'close', 'close']);
});

test('what the source throws is kept as the reason', async () => {
  const one = make();
  const wrong = { ...target, size: bytes.length + 1 };
  const short = new UploadSource(wrong, source, { signal });
  await expect(read(short, 0, wrong.size)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  expect(short.failure?.error).toMatchObject({ code: 'BLOB_CORRUPT' });
  expect(one.failure).toBeUndefined();
});
