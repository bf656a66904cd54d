import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Descriptor } from '../../oci/descriptor.js';
import { digestOf, hexOf } from '../../oci/digest.js';
import { parseReference } from '../../oci/reference.js';
import { Store } from '../../store/store.js';
import { makeManifest } from '../make-image.js';
import { attestProvenance, type AttestOptions } from './attest.js';
import { makePredicate } from './make-predicate.js';
import { DEFAULT_PROVENANCE } from './options.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-attest-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const { signal } = new AbortController();
const { store, lease } = await Store.open(dir, { signal });
afterAll(() => lease.release());

const PLATFORM = { os: 'linux', architecture: 'arm', variant: 'v7' };
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('c'), size: 1 };
const predicate = await makePredicate(
  {
    target: undefined,
    pin: () => Promise.resolve(undefined),
    file: { fileName: 'Dockerfile', source: '', isLocal: true },
    context: {},
    args: {},
    builderPlatform: PLATFORM,
    invocationId: 'i',
    startedAt: 0,
    finishedAt: 0,
  },
  DEFAULT_PROVENANCE,
);

async function attested(
  options: Partial<AttestOptions>,
  version: 'v1' | 'v0.2' = 'v1',
): Promise<Record<'index' | 'attestation' | 'statement' | 'config', Record<string, unknown>> & { image: Descriptor }> {
  const image = await makeManifest(config, [], store.blobs);
  const provenance = { predicate, options: { ...DEFAULT_PROVENANCE, version }, platform: PLATFORM };
  const wanted = { names: [], ociArtifact: true, ...options };
  const made = await attestProvenance(image, provenance, wanted, store.blobs);
  expect(made).toMatchObject(image);
  const { index, documents } = made.attested!;
  const read = async (one: Descriptor): Promise<Record<string, unknown>> =>
    JSON.parse((await store.blobs.readDocument(one, { signal })).toString()) as Record<string, unknown>;
  const [attestation, configOfIt, layer] = documents as [Descriptor, Descriptor, Descriptor];
  return {
    image: image.manifest,
    index: await read(index),
    attestation: await read(attestation),
    config: await read(configOfIt),
    statement: await read(layer),
  };
}

test('an index leads to the image and to an attestation that names it', async () => {
  const { image, index, attestation, statement, config } = await attested({
    names: [parseReference('localhost:5000/Some/App:1'.toLowerCase()), parseReference('app')],
    annotations: { a: 'b' },
  });
  expect(index).toEqual({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      { ...image, platform: PLATFORM },
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: expect.stringMatching(/^sha256:/),
        size: expect.any(Number),
        annotations: {
          'vnd.docker.reference.digest': image.digest,
          'vnd.docker.reference.type': 'attestation-manifest',
        },
        platform: { architecture: 'unknown', os: 'unknown' },
      },
    ],
    annotations: { a: 'b' },
  });
  expect(attestation).toEqual({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.empty.v1+json',
      digest: digestOf('{}'),
      size: 2,
      data: 'e30=',
    },
    layers: [
      {
        mediaType: 'application/vnd.in-toto+json',
        digest: digestOf(JSON.stringify(statement)),
        size: JSON.stringify(statement).length,
        annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
      },
    ],
    subject: image,
  });
  expect(config).toEqual({});
  const digest = { sha256: hexOf(image.digest) };
  expect(statement).toEqual({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [
      { name: 'pkg:docker/localhost%3A5000/some/app@1?platform=linux%2Farm%2Fv7', digest },
      { name: 'pkg:docker/app@latest?platform=linux%2Farm%2Fv7', digest },
    ],
    predicate,
  });
});

test('without oci-artifact the attestation looks like an image', async () => {
  const { attestation, config, statement } = await attested({ ociArtifact: false }, 'v0.2');
  expect(attestation).not.toHaveProperty('artifactType');
  expect(attestation).not.toHaveProperty('subject');
  expect(attestation['config']).toMatchObject({ mediaType: 'application/vnd.oci.image.config.v1+json' });
  const diffId = digestOf(JSON.stringify(statement));
  expect(config).toEqual({
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  expect(statement).toMatchObject({
    predicateType: 'https://slsa.dev/provenance/v0.2',
    subject: [{ name: '_' }],
    predicate: { buildType: 'https://mobyproject.org/buildkit@v1' },
  });
});
