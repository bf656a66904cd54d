import { expect, test } from 'vitest';
import type { DiffId } from '../oci/digest.js';
import { parseToc, serializeToc, TOC_HEAD_BYTES, tocSize, type Toc } from './toc.js';

const toc: Toc = {
  diffId: `sha256:${'a'.repeat(64)}` as DiffId,
  size: 123_456,
  entries: Array.from({ length: 50 }, (_, i) => ({
    path: `file-${i}`,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: i,
    size: 0,
    mtime: 1,
  })),
};

test('the size of a layer is known from the beginning of its table', () => {
  const written = serializeToc(toc);
  expect(parseToc(written).size).toBe(123_456);
  expect(tocSize(written.subarray(0, TOC_HEAD_BYTES))).toBe(123_456);
});

test.each([
  ['nothing', Buffer.of()],
  ['a part of the first line', serializeToc(toc).subarray(0, 50)],
  ['another version', Buffer.from(serializeToc(toc).toString().replace('slipway-toc-', 'slipway-toc-0'))],
])('and unknown from %s', (_, written) => {
  expect(tocSize(written)).toBeUndefined();
});
