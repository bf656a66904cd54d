import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../oci/digest.js';
import { makePredicate } from '../../exporter/provenance/make-predicate.js';
import { DEFAULT_PROVENANCE } from '../../exporter/provenance/options.js';
import { attestationFlags, buildMetadata, imageId, writeResult } from './build-metadata.js';

const exported = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digestOf('gzip'), size: 7 };
const described = { ...exported, annotations: { a: 'b' }, platform: { architecture: 'amd64', os: 'linux' } };
const provenance = await makePredicate(
  {
    target: undefined,
    pin: () => Promise.resolve(undefined),
    file: { fileName: 'Dockerfile', source: '', isLocal: true },
    context: {},
    args: {},
    builderPlatform: { architecture: 'amd64', os: 'linux' },
    invocationId: 'id',
    startedAt: 0,
    finishedAt: 0,
  },
  DEFAULT_PROVENANCE,
);
const result = {
  configDigest: 'sha256:c',
  manifestDigest: 'sha256:plain',
  exported: described,
  invocationId: 'id',
  provenance,
  size: 1,
  layers: [],
  tags: ['a:1', 'b:1'],
  names: ['docker.io/library/a:1', 'docker.io/library/b:1'],
  outputs: [],
  pushed: [],
  counts: { cached: 0, ran: 1 },
};
const least = {
  builder: { id: '' },
  buildType: 'https://mobyproject.org/buildkit@v1',
  invocation: {
    configSource: { entryPoint: 'Dockerfile' },
    parameters: { frontend: 'dockerfile.v0', locals: [{ name: 'dockerfile' }] },
    environment: { platform: 'linux/amd64' },
  },
};

test("metadata has buildx's keys, and the digest of what was exported", () => {
  expect(buildMetadata(result, [], {})).toEqual({
    'buildx.build.provenance': least,
    'buildx.build.ref': 'slipway/slipway/id',
    'containerimage.config.digest': 'sha256:c',
    'containerimage.descriptor': described,
    'containerimage.digest': digestOf('gzip'),
    'image.name': 'docker.io/library/a:1,docker.io/library/b:1',
  });
  const isolation = { rung: 'userns', trees: 'overlay', reason: 'overlayfs on ext' };
  expect(buildMetadata({ ...result, isolation }, [], {})).toMatchObject({ 'slipway.isolation': isolation });
  const { exported: _, ...nothing } = result;
  expect(Object.keys(buildMetadata(nothing, [], {}))).toEqual(['buildx.build.provenance', 'buildx.build.ref']);
});

test('an attested image has the digest of its index, and no other ID', () => {
  const index = { ...exported, mediaType: 'application/vnd.oci.image.index.v1+json' };
  const metadata = buildMetadata({ ...result, exported: index }, [], {});
  expect(metadata).toMatchObject({ 'containerimage.digest': index.digest, 'containerimage.descriptor': index });
  expect(metadata).not.toHaveProperty(['containerimage.config.digest']);
  expect(imageId({ ...result, exported: index })).toBe(index.digest);
  expect(imageId(result)).toBe('sha256:c');
});

test.each([
  ['max', expect.objectContaining({ metadata: expect.objectContaining({ buildInvocationID: 'id' }) })],
  ['min', least],
  ['anything', least],
  ['disabled', undefined],
  ['0', undefined],
])('BUILDX_METADATA_PROVENANCE=%s', (mode, expected) => {
  const metadata = buildMetadata(result, [], { BUILDX_METADATA_PROVENANCE: mode });
  expect(metadata['buildx.build.provenance']).toEqual(expected);
});

test('BUILDX_METADATA_WARNINGS', () => {
  const range = { startLine: 1, endLine: 1 };
  const warning = { type: 'check', rule: 'Rule', description: 'd', url: 'u', detail: 'x', range, at: 0 } as const;
  expect(buildMetadata(result, [warning], {})).not.toHaveProperty(['buildx.build.warnings']);
  expect(buildMetadata(result, [warning], { BUILDX_METADATA_WARNINGS: '1' })['buildx.build.warnings']).toEqual([
    {
      level: 1,
      short: Buffer.from('Rule: x (line 1)').toString('base64'),
      detail: ['ZA=='],
      url: 'u',
      range: [{ start: { line: 1 }, end: { line: 1 } }],
    },
  ]);
});

test('attestations are asked for, or turned off, by flags and by the environment', () => {
  const off = { BUILDX_NO_DEFAULT_ATTESTATIONS: '1' };
  expect(attestationFlags({}, {})).toBeUndefined();
  expect(attestationFlags({}, off)).toBe(false);
  expect(attestationFlags({ provenance: 'mode=min' }, off)).toMatchObject({ mode: 'min', attached: true });
  expect(attestationFlags({ attest: ['type=provenance,mode=max'], sbom: 'false' }, {})).toMatchObject({ mode: 'max' });
  expect(() => attestationFlags({ sbom: 'true' }, {})).toThrow('SBOM attestations are not supported');
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
