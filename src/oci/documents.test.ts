import { expect, test } from 'vitest';
import { parseImageConfig, parseIndex } from './documents.js';

test('documents whose parts lie too deep within each other are refused, not gone through', () => {
  const nested = (depth: number): Buffer =>
    Buffer.from(
      `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"},"x":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`,
    );
  expect(parseImageConfig(nested(90), 'config').rootfs.diff_ids).toEqual([]);
  expect(() => parseImageConfig(nested(300_000), 'config')).toThrow(
    expect.objectContaining({ code: 'IMAGE_INVALID', message: 'config has more than 100 parts within each other' }),
  );
  expect(() => parseIndex(Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)), 'index')).toThrow(
    expect.objectContaining({ code: 'IMAGE_INVALID' }),
  );
});
