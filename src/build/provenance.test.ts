import { expect, test } from 'vitest';
import type { Converted } from '../dockerfile/to-llb/options.js';
import { DEFAULT_PROVENANCE } from '../exporter/provenance/options.js';
import { makeVertex } from '../llb/vertex.js';
import { digestOf } from '../oci/digest.js';
import type { Pinned, Sources } from '../worker/ops/source.js';
import type { BuildOptions } from './options.js';
import { provenanceOf } from './provenance.js';

const { signal } = new AbortController();
const PLATFORM = { os: 'linux', architecture: 'amd64' };
const IMAGE = digestOf('image');

const pinning = (pinned: Pinned | undefined): Sources['git'] => ({
  pin: () => Promise.resolve(pinned),
  key: () => Promise.reject(new Error('not asked for')),
  fetch: () => Promise.reject(new Error('not asked for')),
});
const sources: Sources = {
  images: { ensure: () => Promise.reject(new Error('not asked for')) },
  git: pinning({ algorithm: 'sha1', hex: 'c0' }),
  http: pinning(undefined),
};

function source(identifier: string): NonNullable<Converted['target']> {
  return { vertex: makeVertex({ kind: 'source', identifier, attrs: {} }, [], PLATFORM, { name: '' }), output: 0 };
}

async function external(
  options: Partial<BuildOptions>,
  more: { epoch?: number; context?: string } = {},
): Promise<object> {
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } } as const;
  const context = more.context === undefined ? undefined : source(more.context);
  const predicate = await provenanceOf({
    options: { context: '.', signal, provenance: { ...DEFAULT_PROVENANCE, mode: 'max' }, ...options },
    converted: {
      target: context ?? source(`oci-layout://base@${IMAGE}`),
      config,
      baseConfig: undefined,
      platform: PLATFORM,
      epoch: more.epoch,
      stages: [],
    },
    file: { fileName: 'Dockerfile', source: '' },
    context,
    sources,
    job: { signal, emit: () => undefined, session: { contexts: new Map() }, now: () => 0 },
    startedAt: 0,
    invocationId: 'id',
  });
  return predicate.buildDefinition.externalParameters;
}

test("options become arguments of BuildKit's frontend; paths of this machine and passwords do not", async () => {
  const options = {
    target: 'final',
    buildArgs: { A: 'b' },
    labels: { l: 'v' },
    buildContexts: {
      base: 'oci-layout:///home/me/layout:tag',
      unused: 'oci-layout:///home/me/other',
      dir: '/home/me/dir',
      image: `docker-image://node@${IMAGE}`,
      git: 'https://me:hunter2@host/repo.git',
    },
    network: 'none',
    noCacheFilter: ['a', 'b'],
    hostname: 'h',
    addHosts: [{ host: 'a', ip: '1.2.3.4' }],
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    shmSize: 64,
  } as const;
  expect(await external(options, { epoch: 7 })).toMatchObject({
    configSource: { path: 'Dockerfile' },
    request: {
      args: {
        'add-hosts': 'a=1.2.3.4',
        'build-arg:A': 'b',
        'build-arg:SOURCE_DATE_EPOCH': '7',
        'context:base': `oci-layout://base@${IMAGE}`,
        'context:dir': 'local:dir',
        'context:git': 'https://xxxxx@host/repo.git',
        'context:image': `docker-image://node@${IMAGE}`,
        'context:unused': 'oci-layout://unused',
        'force-network-mode': 'none',
        hostname: 'h',
        'label:l': 'v',
        'no-cache': 'a,b',
        'shm-size': '64',
        target: 'final',
        ulimit: 'nofile=1:2',
      },
    },
  });
  expect(await external({ noCache: true, noCacheFilter: [] })).toMatchObject({ request: { args: { 'no-cache': '' } } });
  expect(await external({ noCacheFilter: [], network: 'default' })).not.toHaveProperty('request.args');
});

test('a remote context is told by address and commit, one from stdin as a directory of the caller', async () => {
  const remote = await external(
    { context: 'https://me:hunter2@host/repo.git#v1:/dir/' },
    { context: 'git://host/repo.git#v1:dir' },
  );
  expect(remote).toEqual({
    configSource: { uri: 'https://xxxxx@host/repo.git#v1:dir', digest: { sha1: 'c0' }, path: 'Dockerfile' },
    request: { frontend: 'dockerfile.v0' },
  });
  expect(await external({ context: '-' }, { context: 'http://session/stdin' })).toEqual({
    configSource: { path: 'Dockerfile' },
    request: { frontend: 'dockerfile.v0', locals: [{ name: 'context' }] },
  });
});
