import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../oci/digest.js';
import { buildMetadata, parseAnnotations, writeResult } from './build-metadata.js';

test("metadata has buildx's keys, and the digest of what was exported", () => {
  const exported = { mediaType: 'm', digest: digestOf('gzip'), size: 7, annotations: { a: 'b' } };
  const result = {
    configDigest: 'sha256:c',
    manifestDigest: 'sha256:plain',
    exported,
    size: 1,
    layers: [],
    counts: { cached: 0, ran: 1 },
  };
  expect(buildMetadata({ ...result, tags: ['a:1', 'b:1'] })).toEqual({
    'containerimage.config.digest': 'sha256:c',
    'containerimage.descriptor': { mediaType: 'm', digest: digestOf('gzip'), size: 7 },
    'containerimage.digest': digestOf('gzip'),
    'image.name': 'a:1,b:1',
  });
  expect(buildMetadata({ size: 0, layers: [], tags: [], counts: { cached: 0, ran: 0 } })).toEqual({});
});

test('annotations are of the manifest', () => {
  expect(parseAnnotations(['a=b', 'manifest:c=d=e', 'org.x:y=z'])).toEqual({ a: 'b', c: 'd=e', 'org.x:y': 'z' });
  for (const level of ['index', 'manifest-descriptor', 'manifest[linux/amd64]', 'index,manifest']) {
    expect(() => parseAnnotations([`${level}:a=b`])).toThrow(`annotations of \`${level}\``);
  }
});

test('a result file that cannot be written is an error with its name', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-metadata-'));
  try {
    await writeResult(path.join(dir, 'iid'), 'sha256:1');
    expect(readFileSync(path.join(dir, 'iid'), 'utf8')).toBe('sha256:1');
    await expect(writeResult(path.join(dir, 'iid', 'below'), 'x')).rejects.toMatchObject({ code: 'EXPORT_FAILED' });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
