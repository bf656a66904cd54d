import { expect, test } from 'vitest';
import type { FileOp, Op, Vertex } from '../../llb/types.js';
import { topological } from '../../llb/vertex.js';
import type { Digest, DiffId } from '../../oci/digest.js';
import type { ImageConfig } from '../../oci/image-config.js';
import { parseDockerfile } from '../parse.js';
import { convertDockerfile } from './convert.js';
import type { BaseImages, Converted, ConvertOptions } from './options.js';

const linux = { os: 'linux', architecture: 'amd64' };
const digest = `sha256:${'1'.repeat(64)}` as Digest;

/** Knows every image but those that start with `missing`, and counts how often it is asked. */
class FakeBases implements BaseImages {
  readonly asked: string[] = [];
  readonly #config: ImageConfig['config'];

  constructor(config: ImageConfig['config'] = {}) {
    this.#config = config;
  }

  resolve(name: string): ReturnType<BaseImages['resolve']> {
    this.asked.push(name);
    if (name.startsWith('missing')) return Promise.resolve(undefined);
    const rootfs = { type: 'layers', diff_ids: [digest as string as DiffId] } as const;
    const config: ImageConfig = { ...linux, config: this.#config ?? {}, rootfs, history: [{ created_by: 'base' }] };
    return Promise.resolve({ source: `docker-image://${name}@${digest}`, digest, config });
  }
}

function convert(text: string, options: Partial<ConvertOptions> = {}, bases = new FakeBases()): Promise<Converted> {
  const { signal } = new AbortController();
  return convertDockerfile(parseDockerfile(text), { buildPlatform: linux, ...options }, bases, { signal });
}

const vertices = ({ target }: Converted): readonly Vertex[] => (target ? topological(target.vertex) : []);
const names = (converted: Converted): readonly string[] => vertices(converted).map(({ options }) => options.name);
const lastOp = (converted: Converted): Op => vertices(converted).at(-1)!.op;
const lastActions = (converted: Converted): FileOp['actions'] => (lastOp(converted) as FileOp).actions;

test('steps are named as BuildKit names them', async () => {
  const two = 'FROM a AS b\nARG v=1\nRUN make $v\nFROM scratch\nCOPY --from=b /x /\n';
  expect(names(await convert(two))).toEqual([
    `[b 1/2] FROM a@${digest}`,
    '[b 2/2] RUN make 1',
    '[stage-1 1/1] COPY --from=b /x /',
  ]);
  expect(names(await convert('FROM a\nRUN x'))).toEqual([`[1/2] FROM a@${digest}`, '[2/2] RUN x']);
});

test('only the stages that the target needs are looked up and converted', async () => {
  const bases = new FakeBases();
  const text = 'FROM missing AS no\nADD http://x/y /\nFROM a AS yes\nRUN x\nFROM a AS other\n';
  const converted = await convert(text, { target: 'yes' }, bases);
  expect(bases.asked).toEqual(['a']);
  expect(converted.stages.map(({ name }) => name)).toEqual(['yes']);
});

test('an image that several stages stand on is asked for once', async () => {
  const bases = new FakeBases();
  await convert('FROM a AS x\nFROM a\nCOPY --from=x / /\n', {}, bases);
  expect(bases.asked).toEqual(['a']);
});

test('the context is the paths that are read', async () => {
  const converted = await convert('FROM scratch\nCOPY b /\nCOPY ["a c", "./d/", "/x/"]\n', {
    contextExclude: ['*.md'],
  });
  const source = vertices(converted).find(({ op }) => op.kind === 'source')!.op;
  expect(source).toEqual({
    kind: 'source',
    identifier: 'local://context',
    attrs: { 'local.excludepatterns': '["*.md"]', 'local.followpaths': '["a c","b","d"]' },
  });
  const whole = vertices(await convert('FROM scratch\nCOPY . /\n')).find(({ op }) => op.kind === 'source')!.op;
  expect(whole).toMatchObject({ attrs: {} });
});

test('FROM scratch without a change has no vertex', async () => {
  const converted = await convert('FROM scratch\nCMD ["x"]\n');
  expect(converted.target).toBeUndefined();
  expect(converted.config).toMatchObject({ config: { Cmd: ['x'], WorkingDir: '/' }, rootfs: { diff_ids: [] } });
});

test('--link is a copy of its own, merged', async () => {
  const converted = await convert('FROM a\nCOPY --link x /\n');
  const [base, , copy, merge] = vertices(converted);
  expect(merge!.op).toEqual({ kind: 'merge' });
  expect(merge!.inputs.map(({ vertex }) => vertex)).toEqual([base, copy]);
  expect(lastActions(await convert('FROM a\nCOPY --link --chmod=600 x /\n'))[0]).toMatchObject({ input: 0 });
});

test('several sources are actions in turn; the last one is the result', async () => {
  const [first, second] = lastActions(await convert('FROM scratch\nWORKDIR /w\nCOPY a b d/\n'));
  expect(first).toMatchObject({ input: 0, secondaryInput: 1, output: -1, action: { src: '/a', dest: '/w/d/' } });
  expect(second).toMatchObject({ input: 2, secondaryInput: 1, output: 0, action: { src: '/b', dest: '/w/d/' } });
});

test('--parents copies a pattern below its pivot', async () => {
  const action = (lines: string): Promise<unknown> =>
    convert(`FROM scratch\n${lines}\n`).then((converted) => lastActions(converted)[0]!.action);
  expect(await action('COPY --parents a/./b/c /')).toMatchObject({
    src: '/a',
    includePatterns: ['b/c'],
    requiredPaths: ['/a/b/c'],
  });
  expect(await action('COPY --parents a/*.c /')).not.toHaveProperty('requiredPaths');
});

test('a heredoc is a file; it is expanded unless its name is quoted', async () => {
  const text = 'FROM scratch\nARG v=1\nCOPY <<A <<\'B\' /d/\n$v "q"\nA\n$v\nB\n';
  const files = vertices(await convert(text)).filter(({ options }) => options.name.startsWith('[internal]'));
  const contents = files.map(({ op }) => {
    const { action } = (op as FileOp).actions[0]!;
    return action.type === 'mkfile' ? [action.path, Buffer.from(action.data, 'base64').toString()] : [];
  });
  expect(contents).toEqual([
    ['/A', '1 "q"\n'],
    ['/B', '$v\n'],
  ]);
});

test('RUN carries environment, user, directory and mounts', async () => {
  const text = `FROM a AS s
FROM a
ARG x=1
ENV y=2
USER app
WORKDIR /w
RUN --mount=type=cache,id=c,target=/c --mount=from=s,target=m,source=/q --mount=type=secret,id=t --network=none make
`;
  const op = lastOp(await convert(text, { buildArgs: { x: '9', HTTP_PROXY: 'p', BUILDKIT_CACHE_MOUNT_NS: 'ns' } }));
  expect(op).toMatchObject({
    kind: 'exec',
    network: 'none',
    meta: { args: ['/bin/sh', '-c', 'make'], cwd: '/w', user: 'app', proxyEnv: { HTTP_PROXY: 'p', http_proxy: 'p' } },
    mounts: [
      { dest: '/', input: 0, output: 0 },
      { dest: '/c', input: -1, mount: { type: 'cache', id: 'ns/c', sharing: 'shared' } },
      { dest: '/w/m', selector: '/q', readonly: true, mount: { type: 'bind' } },
      { dest: '/run/secrets/t', mount: { type: 'secret', id: 't', mode: 0o400, optional: true } },
    ],
  });
  expect(op.kind === 'exec' && op.meta.env.slice(1)).toEqual(['x=9', 'y=2']);
});

test('a RUN that is one heredoc with #! runs it as a file', async () => {
  const op = lastOp(await convert('FROM a\nRUN <<-F\n\t#!/bin/x\n\ty\n\tF\n'));
  expect(op).toMatchObject({
    meta: { args: ['/bin/sh', '-c', '/dev/pipes/F'] },
    mounts: [{ dest: '/' }, { dest: '/dev/pipes/', readonly: true }],
  });
});

test('triggers of the base image come first and are not inherited', async () => {
  const converted = await convert('FROM a\nUSER x\n', {}, new FakeBases({ OnBuild: ['ENV a=1', 'COPY f /f'] }));
  expect(converted.config.history?.map((entry) => entry.created_by)).toEqual([
    'base',
    'ENV a=1',
    'COPY f /f # buildkit',
    'USER x',
  ]);
  expect(converted.config.config).not.toHaveProperty('OnBuild');
  expect(names(converted).at(-1)).toBe('[2/3] ONBUILD COPY f /f');
});

test('named contexts stand in for images and stages', async () => {
  const contexts = new Map([
    ['a', { kind: 'local' as const, exclude: ['x'] }],
    ['s', { kind: 'scratch' as const }],
  ]);
  const converted = await convert(
    'FROM a AS z\nFROM b AS s\nRUN x\nFROM scratch\nCOPY --from=a f /\nCOPY --from=s / /\n',
    { contexts },
  );
  const sources = vertices(converted).flatMap(({ op }) => (op.kind === 'source' ? [op] : []));
  expect(sources).toEqual([
    {
      kind: 'source',
      identifier: 'local://a',
      attrs: { 'local.excludepatterns': '["x"]', 'local.followpaths': '["f"]' },
    },
  ]);
});

test('equal files give equal digests, and display names do not count', async () => {
  const one = await convert('FROM a AS x\nRUN make\n');
  const two = await convert('FROM a AS y\n\nRUN make\n');
  const three = await convert('FROM a AS y\nRUN make all\n');
  expect(two.target!.vertex.digest).toBe(one.target!.vertex.digest);
  expect(three.target!.vertex.digest).not.toBe(one.target!.vertex.digest);
});

test('no-cache marks the steps of the stages it names', async () => {
  const text = 'FROM a AS x\nRUN 1\nFROM x AS y\nRUN 2\n';
  const marked = async (options: Partial<ConvertOptions>): Promise<readonly string[]> =>
    vertices(await convert(text, options)).flatMap((vertex) =>
      vertex.options.ignoreCache ? [vertex.options.name] : [],
    );
  expect(await marked({ noCacheFilter: ['Y'] })).toEqual(['[y 1/1] RUN 2']);
  expect(await marked({ noCache: true })).toHaveLength(2);
});

test.each([
  [
    'FROM missing\n',
    'BASE_NOT_FOUND',
    'missing: failed to resolve source metadata for docker.io/library/missing:latest',
    1,
  ],
  ['FROM a AS b\nCOPY --from=b / /\n', 'DOCKERFILE_INVALID', 'circular dependency detected on stage: b', 2],
  ['FROM a\nCOPY --from=7 / /\n', 'DOCKERFILE_INVALID', 'invalid stage index 7', 2],
  ['FROM a AS x\nCOPY --from=y / /\nFROM a AS y\nFROM x\n', 'DOCKERFILE_INVALID', 'cannot copy from stage "y"', 2],
  ['FROM a\nENV b=${c:?no}\n', 'DOCKERFILE_INVALID', 'failed to process "${c:?no}": c: no', 2],
  ['FROM a\nEXPOSE 1/foo\n', 'DOCKERFILE_INVALID', 'invalid port: "1/foo": invalid proto: foo', 2],
  ['FROM A\n', 'REFERENCE_INVALID', 'failed to parse stage name "A": invalid reference format', 1],
  ['', 'DOCKERFILE_INVALID', 'the Dockerfile cannot be empty', 1],
  ['ARG a\n', 'DOCKERFILE_INVALID', 'dockerfile contains no stages to build', 2],
])('%j fails with its line', async (text, code, message, line) => {
  await expect(convert(text)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message) as string,
    diagnostics: [{ range: { startLine: line } }],
  });
});

test('an unknown target is answered with the nearest stage', async () => {
  await expect(convert('FROM a AS build\n', { target: 'bulid' })).rejects.toMatchObject({
    code: 'STAGE_NOT_FOUND',
    message: 'target stage "bulid" could not be found (did you mean build?)',
    hint: 'the stages are: build',
  });
});

test('a stage on a directory writes onto a copy of it; one that is only read from stays a directory', async () => {
  const contexts = new Map([['dir', { kind: 'local' } as const]]);
  const written = vertices(await convert('FROM dir\nCOPY a /', { contexts }));
  expect(written.filter(({ op }) => op.kind === 'file').map(({ inputs }) => inputs.length)).toEqual([1, 2]);
  const read = vertices(await convert('FROM scratch\nCOPY --from=dir a /', { contexts }));
  expect(read.map(({ op }) => op.kind)).toEqual(['source', 'file']);
  const alone = vertices(await convert('FROM dir', { contexts }));
  expect(alone.map(({ op }) => op.kind)).toEqual(['source', 'file']);
});
