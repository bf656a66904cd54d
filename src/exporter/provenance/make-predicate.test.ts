import { expect, test } from 'vitest';
import type { Edge, ExecOp, Op } from '../../llb/types.js';
import { makeVertex } from '../../llb/vertex.js';
import { digestOf, hexOf } from '../../oci/digest.js';
import { makePredicate, type ProvenanceFacts } from './make-predicate.js';
import { DEFAULT_PROVENANCE, type ProvenanceOptions } from './options.js';
import { withLayers } from './predicate.js';
import { toSlsa02 } from './slsa02.js';

const PLATFORM = { os: 'linux', architecture: 'amd64' };
const IMAGE = digestOf('image');
const COMMIT = '0123456789012345678901234567890123456789';
const FILE = hexOf(digestOf('file'));

function edge(op: Op, inputs: readonly Edge[] = [], line?: number): Edge {
  const location = line === undefined ? {} : { location: { file: 'Dockerfile', startLine: line, endLine: line } };
  return { vertex: makeVertex(op, inputs, PLATFORM, { name: op.kind, ...location }), output: 0 };
}
const source = (identifier: string, attrs = {}): Edge => edge({ kind: 'source', identifier, attrs });

function exec(inputs: readonly Edge[], network: ExecOp['network'] = 'sandbox'): Edge {
  const placed = { input: -1, output: -1, readonly: false };
  const secret = { type: 'secret', id: 'tok', uid: 0, gid: 0, mode: 0o400, optional: true } as const;
  const ssh = { type: 'ssh', id: '', uid: 0, gid: 0, mode: 0o600, optional: false } as const;
  const proxyEnv = { http_proxy: 'http://user:hunter2@proxy' };
  const meta = { args: ['sh', '-c', 'make'], env: ['A=b'], cwd: '/', user: 'app', proxyEnv };
  const mounts = [
    { input: 0, dest: '/', output: 0, readonly: false, mount: { type: 'bind' } },
    { ...placed, dest: '/run/secrets/tok', mount: secret },
    { ...placed, dest: '', mount: { ...secret, env: 'TOK' } },
    { ...placed, dest: '/agent', mount: ssh },
    { ...placed, dest: '/c', mount: { type: 'cache', id: '/c', sharing: 'locked' } },
  ] as const;
  return edge({ kind: 'exec', meta, mounts, network, security: 'sandbox' }, inputs, 3);
}

function copy(into: Edge, from: Edge): Edge {
  const flags = { followSymlink: true, dirCopyContents: true, createDestPath: true, allowWildcard: true };
  const off = { attemptUnpackDockerCompatibility: false, allowEmptyWildcard: false };
  const owner = { user: { name: 'app' }, group: { id: 0 } };
  const action = { type: 'copy', src: '/a', dest: '/b', mode: -1, owner, ...flags, ...off } as const;
  return edge({ kind: 'file', actions: [{ input: 0, secondaryInput: 1, output: 0, action }] }, [into, from], 4);
}

const base = source(`docker-image://docker.io/library/node:20@${IMAGE}`);
const git = source('git://host/repo#v1:dir', {
  'git.fullurl': 'https://user:hunter2@host/repo',
  'git.authtokensecret': 'GIT_AUTH_TOKEN',
});
const http = source('https://user:hunter2@host/file', { 'http.filename': 'file' });

function facts(target: Edge, more: Partial<ProvenanceFacts> = {}): ProvenanceFacts {
  return {
    target,
    pin: (op) => Promise.resolve(op.identifier.startsWith('git:') ? { sha1: COMMIT } : { sha256: FILE }),
    file: { fileName: 'Dockerfile', source: 'FROM node:20\n', isLocal: true },
    context: {},
    args: { 'build-arg:PASSWORD': 'hunter2', 'label:l': 'v', target: 'final' },
    builderPlatform: PLATFORM,
    invocationId: 'abc',
    startedAt: 1_700_000_000_000,
    finishedAt: 1_700_000_001_250,
    ...more,
  };
}
const min: ProvenanceOptions = { ...DEFAULT_PROVENANCE, attached: true };
const max: ProvenanceOptions = { ...min, mode: 'max' };

test('mode=min tells sources by digest, and no argument, label, secret or step', async () => {
  const target = copy(copy(exec([base]), git), copy(http, source('local://context')));
  const predicate = await makePredicate(facts(target), min);
  expect(predicate).toEqual({
    buildDefinition: {
      buildType: 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md',
      resolvedDependencies: [
        { uri: 'pkg:docker/node@20?platform=linux%2Famd64', digest: { sha256: hexOf(IMAGE) } },
        { uri: 'https://xxxxx@host/repo#v1', digest: { sha1: COMMIT } },
        { uri: 'https://xxxxx@host/file', digest: { sha256: FILE } },
      ],
      externalParameters: {
        configSource: { path: 'Dockerfile' },
        request: {
          frontend: 'dockerfile.v0',
          args: { target: 'final' },
          locals: [{ name: 'context' }, { name: 'dockerfile' }],
        },
      },
      internalParameters: { builderPlatform: 'linux/amd64' },
    },
    runDetails: {
      builder: { id: '' },
      metadata: {
        invocationId: 'abc',
        startedOn: '2023-11-14T22:13:20Z',
        finishedOn: '2023-11-14T22:13:21.25Z',
        buildkit_metadata: {},
        buildkit_completeness: { request: false, resolvedDependencies: false },
      },
    },
  });
  expect(withLayers(predicate, [])).toBe(predicate);
});

test('mode=max tells arguments, ids of secrets, the graph as LLB and the Dockerfile; never a password of an address', async () => {
  const target = copy(exec([base]), git);
  const predicate = await makePredicate(facts(target, { args: { 'build-arg:A': 'b' } }), max);
  const { externalParameters, internalParameters } = predicate.buildDefinition;
  expect(externalParameters.request).toEqual({
    frontend: 'dockerfile.v0',
    args: { 'build-arg:A': 'b' },
    secrets: [
      { id: 'GIT_AUTH_TOKEN', optional: true },
      { id: 'tok', optional: true },
    ],
    ssh: [{ id: 'default' }],
    locals: [{ name: 'dockerfile' }],
  });
  const { llbDefinition, digestMapping } = internalParameters.buildConfig!;
  expect(digestMapping[target.vertex.digest]).toBe('step3');
  expect(llbDefinition.map(({ id, inputs }) => [id, inputs])).toEqual([
    ['step0', undefined],
    ['step1', ['step0:0']],
    ['step2', undefined],
    ['step3', ['step1:0', 'step2:0']],
    ['step4', ['step3:0']],
  ]);
  expect(llbDefinition.map(({ op }) => (op as { Op: unknown }).Op)).toEqual([
    { source: { identifier: `docker-image://docker.io/library/node:20@${IMAGE}` } },
    {
      exec: {
        meta: { args: ['sh', '-c', 'make'], env: ['A=b'], cwd: '/', user: 'app' },
        mounts: [
          { dest: '/' },
          {
            input: -1,
            dest: '/run/secrets/tok',
            output: -1,
            mountType: 1,
            secretOpt: { ID: 'tok', mode: 256, optional: true },
          },
          { input: -1, dest: '/agent', output: -1, mountType: 2, SSHOpt: { mode: 384 } },
          { input: -1, dest: '/c', output: -1, mountType: 3, cacheOpt: { ID: '/c', sharing: 2 } },
        ],
        secretenv: [{ ID: 'tok', name: 'TOK', optional: true }],
      },
    },
    {
      source: {
        identifier: 'git://host/repo#v1:dir',
        attrs: { 'git.fullurl': 'https://xxxxx@host/repo', 'git.authtokensecret': 'GIT_AUTH_TOKEN' },
      },
    },
    {
      file: {
        actions: [
          {
            input: 0,
            secondaryInput: 1,
            output: 0,
            Action: {
              copy: {
                src: '/a',
                dest: '/b',
                mode: -1,
                followSymlink: true,
                dirCopyContents: true,
                createDestPath: true,
                allowWildcard: true,
                owner: { user: { User: { byName: { name: 'app' } } }, group: { User: {} } },
                timestamp: -1,
              },
            },
          },
        ],
      },
    },
    {},
  ]);
  const { source } = predicate.runDetails.metadata.buildkit_metadata;
  expect(source?.locations).toEqual({
    step1: { locations: [{ ranges: [{ start: { line: 3 }, end: { line: 3 } }] }] },
    step3: { locations: [{ ranges: [{ start: { line: 4 }, end: { line: 4 } }] }] },
  });
  expect(Buffer.from(source!.infos[0]!.data, 'base64').toString()).toBe('FROM node:20\n');
  expect(predicate.runDetails.metadata.buildkit_completeness).toEqual({ request: true, resolvedDependencies: false });
  expect(JSON.stringify(predicate)).not.toContain('hunter2');
  const layer = { mediaType: 'm', digest: IMAGE, size: 1 };
  expect(withLayers(predicate, [layer]).runDetails.metadata.buildkit_metadata.layers).toEqual({ 'step3:0': [[layer]] });
});

test('a vertex that a graph holds twice is one step; the digest of an image is no password', async () => {
  const layout = `oci-layout://base@${IMAGE}`;
  const { buildDefinition } = await makePredicate(facts(copy(exec([source(layout)]), source(layout))), max);
  const { llbDefinition } = buildDefinition.internalParameters.buildConfig!;
  expect(llbDefinition.map(({ inputs }) => inputs)).toEqual([
    undefined,
    ['step0:0'],
    ['step1:0', 'step0:0'],
    ['step2:0'],
  ]);
  expect(llbDefinition[0]!.op).toMatchObject({ Op: { source: { identifier: layout } } });
});

test('a build is hermetic when all that it reads is known and no process had a network', async () => {
  const file = { fileName: 'Dockerfile', source: '', isLocal: false };
  const context = { uri: 'https://host/repo#v1', digest: { sha1: COMMIT } };
  const hermetic = await makePredicate(facts(exec([base], 'none'), { file, context }), { ...min, reproducible: true });
  expect(hermetic.runDetails.metadata).toMatchObject({
    buildkit_hermetic: true,
    buildkit_reproducible: true,
    buildkit_completeness: { resolvedDependencies: true },
  });
  expect(hermetic.buildDefinition.externalParameters.configSource).toEqual({ ...context, path: 'Dockerfile' });
  const online = await makePredicate(facts(exec([base]), { file, context }), min);
  expect(online.runDetails.metadata.buildkit_hermetic).toBeUndefined();
});

test('what the caller sent is a directory of the caller: of stdin there is no address', async () => {
  const predicate = await makePredicate(facts(http, { pin: () => Promise.resolve(undefined) }), min);
  expect(predicate.buildDefinition.resolvedDependencies).toBeUndefined();
  expect(predicate.buildDefinition.externalParameters.request.locals).toEqual([
    { name: 'context' },
    { name: 'dockerfile' },
  ]);
});

test('the same in the words of SLSA 0.2', async () => {
  const predicate = toSlsa02(await makePredicate(facts(exec([base])), max));
  expect(predicate).toMatchObject({
    builder: { id: '' },
    buildType: 'https://mobyproject.org/buildkit@v1',
    materials: [{ uri: 'pkg:docker/node@20?platform=linux%2Famd64' }],
    invocation: {
      configSource: { entryPoint: 'Dockerfile' },
      parameters: { frontend: 'dockerfile.v0' },
      environment: { platform: 'linux/amd64' },
    },
    metadata: {
      buildInvocationID: 'abc',
      completeness: { parameters: true, environment: true, materials: false },
      reproducible: false,
    },
  });
  expect(predicate.buildConfig?.llbDefinition).toHaveLength(3);
});
