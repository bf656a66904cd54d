import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import type { Descriptor, Index, Manifest } from '../../src/oci/descriptor.js';
import { layoutFaults } from '../support/check-layout.js';
import { RemoteServer, TestRepository } from '../support/remote-server.js';
import { test as base } from '../support/registry-workspace.js';
import type { Workspace } from '../support/workspace.js';

const test = base.extend<{ remote: RemoteServer }>({
  remote: async ({ work }, use) => {
    using server = await RemoteServer.start(work.dir);
    await use(server);
  },
});

interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicate: {
    readonly buildDefinition: {
      readonly resolvedDependencies: readonly { readonly uri: string; readonly digest: object }[];
      readonly externalParameters: { readonly configSource: object; readonly request: { readonly args?: object } };
      readonly internalParameters: { readonly buildConfig?: { readonly llbDefinition: readonly object[] } };
    };
    readonly runDetails: { readonly metadata: { readonly buildkit_completeness: object } };
  };
}

function read<T>(layout: string, one: Descriptor): T {
  return JSON.parse(readFileSync(path.join(layout, 'blobs/sha256', one.digest.slice(7)), 'utf8')) as T;
}

function readIndex(layout: string): Index {
  return JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as Index;
}

/** What a layout holds of an attested image. */
function attested(layout: string): { index: Index; image: Descriptor; attestation: Manifest; statement: Statement } {
  const [top] = readIndex(layout).manifests as [Descriptor];
  expect(top.mediaType).toBe('application/vnd.oci.image.index.v1+json');
  const index = read<Index>(layout, top);
  const [image, about] = index.manifests as [Descriptor, Descriptor];
  expect(about.annotations).toEqual({
    'vnd.docker.reference.digest': image.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  });
  const attestation = read<Manifest>(layout, about);
  return { index, image, attestation, statement: read<Statement>(layout, attestation.layers[0]!) };
}

async function buildOk(work: Workspace, args: readonly string[]): Promise<string> {
  const ended = await work.tryBuild(args);
  expect(ended.code, ended.output).toBe(0);
  return ended.stdout.trim();
}

describe('--provenance', () => {
  test('an image carries it in a layout that other tools copy and unpack', async ({ work }) => {
    work.write({ f: 'content\n' });
    work.dockerfile('FROM busybox\nARG PASSWORD\nCOPY f /f\n');
    const layout = work.path('layout');
    const output = `type=oci,tar=false,dest=${layout}`;
    await buildOk(work, ['--provenance=mode=min', '--build-arg', 'PASSWORD=hunter2', '-o', output]);
    expect(await layoutFaults(layout)).toEqual([]);
    const { image, attestation, statement } = attested(layout);
    expect(attestation.artifactType).toBe('application/vnd.docker.attestation.manifest.v1+json');
    expect(statement).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://slsa.dev/provenance/v1',
      subject: [{ name: expect.stringMatching(/^pkg:docker\/test@latest\?platform=linux%2F/) }],
    });
    expect(`sha256:${statement.subject[0]!.digest.sha256}`).toBe(image.digest);
    const { resolvedDependencies } = statement.predicate.buildDefinition;
    expect(resolvedDependencies).toEqual([
      { uri: expect.stringMatching(/^pkg:oci\/busybox\?digest=sha256:/), digest: expect.anything() },
    ]);
    const text = JSON.stringify(statement);
    for (const hidden of ['hunter2', 'PASSWORD', work.dir]) expect(text).not.toContain(hidden);

    expect(
      JSON.parse(execFileSync('skopeo', ['inspect', '--raw', `oci:${layout}:latest`], { encoding: 'utf8' })),
    ).toEqual(attested(layout).index);
    const copies = { one: work.path('one'), all: work.path('all') };
    execFileSync('skopeo', ['copy', '-q', `oci:${layout}:latest`, `oci:${copies.one}:x`]);
    execFileSync('skopeo', ['copy', '-q', '--all', `oci:${layout}:latest`, `oci:${copies.all}:x`]);
    expect(readIndex(copies.one).manifests[0]!.digest).toBe(image.digest);
    expect(attested(copies.all).statement).toEqual(statement);
    const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
    const unpacked = spawnSync('umoci', ['unpack', ...rootless, '--image', `${copies.one}:x`, work.path('bundle')]);
    expect(unpacked.status, String(unpacked.stderr)).toBe(0);
    expect(readFileSync(work.path('bundle/rootfs/f'), 'utf8')).toBe('content\n');
  });

  test('mode=max tells arguments, the Dockerfile and the graph, and what was fetched by its digest', async ({
    work,
    remote,
  }) => {
    const repository = new TestRepository(work.path('repo.git'));
    const commit = repository.commit({ x: 'x' });
    remote.files.set('/f', { body: 'hello\n' });
    work.write({ secret: 'hunter2' }, work.dir);
    work.dockerfile(
      `FROM busybox\nARG A\nADD ${remote.url}/f /f\nADD ${remote.url}/repo.git /git\n` +
        'RUN --mount=type=secret,id=tok cat /run/secrets/tok >/dev/null\n',
    );
    const layout = work.path('layout');
    const args = ['--provenance=mode=max,builder-id=https://ci.example', '--build-arg', 'A=told', '--secret'];
    await buildOk(work, [...args, `id=tok,src=${work.path('secret')}`, '-o', `type=oci,tar=false,dest=${layout}`]);
    const { predicate } = attested(layout).statement;
    expect(predicate.buildDefinition.resolvedDependencies.slice(1)).toEqual([
      { uri: `${remote.url}/repo.git`, digest: { sha1: commit } },
      { uri: `${remote.url}/f`, digest: { sha256: createHash('sha256').update('hello\n').digest('hex') } },
    ]);
    expect(predicate.buildDefinition.externalParameters.request).toMatchObject({
      args: { 'build-arg:A': 'told' },
      secrets: expect.arrayContaining([{ id: 'tok', optional: true }]),
    });
    expect(predicate.runDetails).toMatchObject({
      builder: { id: 'https://ci.example' },
      metadata: { buildkit_metadata: { source: { infos: [{ filename: 'Dockerfile' }] }, layers: expect.anything() } },
    });
    const steps = predicate.buildDefinition.internalParameters.buildConfig!.llbDefinition;
    expect(steps.map((step) => Object.keys((step as { op: { Op: object } }).op.Op)[0])).toEqual([
      'source',
      'source',
      'file',
      'source',
      'file',
      'exec',
      undefined,
    ]);
    for (const hidden of ['hunter2', work.dir]) expect(JSON.stringify(predicate)).not.toContain(hidden);
  });

  test('the store holds it under the name, and other commands read the image', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN echo hi > /f\n');
    const digest = await buildOk(work, [
      '--provenance=true',
      '--metadata-file',
      work.path('meta'),
      '--iidfile',
      work.path('iid'),
    ]);
    const metadata = JSON.parse(readFileSync(work.path('meta'), 'utf8')) as Record<string, unknown>;
    expect(metadata).toMatchObject({
      'containerimage.digest': digest,
      'containerimage.descriptor': { mediaType: 'application/vnd.oci.image.index.v1+json' },
      'image.name': 'docker.io/library/test:latest',
    });
    expect(metadata).not.toHaveProperty(['containerimage.config.digest']);
    expect(readFileSync(work.path('iid'), 'utf8')).toBe(digest);
    const run = await work.start(['run', '--root', work.root, 'test', 'cat', '/f']).ended;
    expect(run.stdout, run.output).toBe('hi\n');
    const listed = await work.start(['images', '--root', work.root]).ended;
    expect(listed.stdout).toContain(digest.slice(7, 19));
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test('a registry gets it with the image, in either form, and the image is a base like any other', async ({
    work,
    bench,
  }) => {
    const registry = await bench.start();
    const name = `${registry.host}/team/app`;
    work.write({ Dockerfile: 'FROM scratch\nCOPY f /\n', f: 'f' });
    const files = ['--metadata-file', work.path('meta'), '--iidfile', work.path('iid')];
    const { stdout } = await bench.build('--provenance=mode=max', '--push', '-t', `${name}:1`, ...files);
    const raw = await bench.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}:1`);
    const digest = `sha256:${createHash('sha256').update(raw).digest('hex')}`;
    expect([stdout.trim(), readFileSync(work.path('iid'), 'utf8')]).toEqual([digest, digest]);
    expect(JSON.parse(readFileSync(work.path('meta'), 'utf8'))).toMatchObject({
      'containerimage.digest': digest,
      'image.name': `${name}:1`,
    });
    const layout = work.path('layout');
    await bench.skopeo('copy', '-q', '--all', '--src-tls-verify=false', `docker://${name}:1`, `oci:${layout}:x`);
    const { image, statement } = attested(layout);
    expect(statement.subject).toEqual([
      { name: expect.stringMatching(/^pkg:docker\/.*%3A\d+\/team\/app@1\?platform=/), digest: expect.anything() },
    ]);
    expect(`sha256:${statement.subject[0]!.digest.sha256}`).toBe(image.digest);

    const old = ['-o', `type=registry,name=${name}:2,oci-artifact=false`];
    await bench.build('--provenance=mode=min', ...old);
    const { manifests } = JSON.parse(
      await bench.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}:2`),
    ) as Index;
    const about = JSON.parse(registry.blob(manifests[1]!.digest).toString('utf8')) as Manifest;
    expect([about.artifactType, about.config.mediaType]).toEqual([
      undefined,
      'application/vnd.oci.image.config.v1+json',
    ]);

    work.write({ Dockerfile: `FROM ${name}:1\nCOPY f /g\n` });
    const onIt = await bench.build('--root', work.path('elsewhere'), '-t', 'top');
    expect(onIt.code, onIt.output).toBe(0);
  });

  test('type=local and type=tar get a file about every file, under a name that is free', async ({ work }) => {
    work.write({ 'a/f': 'content\n' });
    work.dockerfile('FROM scratch\nCOPY a /a\nCOPY a/f /p.json\n');
    await buildOk(work, ['--provenance=mode=min', '-o', work.path('out')]);
    const file = work.path('out/provenance.json');
    const statement = JSON.parse(readFileSync(file, 'utf8')) as Statement;
    const sha256 = createHash('sha256').update('content\n').digest('hex');
    expect(statement.subject).toEqual(['a/f', 'p.json'].map((name) => ({ name, digest: { sha256 } })));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await buildOk(work, ['--provenance=mode=min', '-o', `type=tar,dest=${work.path('out.tar')}`]);
    const inTar = execFileSync('tar', ['-xOf', work.path('out.tar'), 'provenance.json'], { encoding: 'utf8' });
    expect((JSON.parse(inTar) as Statement).subject).toEqual(statement.subject);
    const taken = await work.tryBuild(['--provenance=mode=min,filename=p.json', '-o', work.path('taken')]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain('the result has a `p.json` of its own');
  });

  test('nothing is attested unless it is asked for, and what cannot be is refused', async ({ work }) => {
    work.dockerfile('FROM busybox\n');
    await buildOk(work, ['-o', `type=oci,tar=false,dest=${work.path('plain')}`]);
    expect(readIndex(work.path('plain')).manifests[0]!.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
    const docker = await work.tryBuild(['--provenance=true', '-o', `type=docker,dest=${work.path('image.tar')}`]);
    expect([docker.code, docker.stderr]).toEqual([2, expect.stringContaining('`type=docker` holds none')]);
    const sbom = await work.tryBuild(['--sbom=true']);
    expect([sbom.code, sbom.stderr]).toEqual([1, expect.stringContaining('SBOM attestations are not supported')]);
    expect(existsSync(work.path('image.tar'))).toBe(false);
  });
});

test('--iidfile and --metadata-file tell of the image in the form that it was exported in', async ({ work }) => {
  work.write({ Dockerfile: 'FROM scratch\nCOPY f /\n', f: 'f' });
  const layout = work.path('layout');
  const output = `type=oci,tar=false,rewrite-timestamp=true,dest=${layout}`;
  const files = ['--iidfile', work.path('iid'), '--metadata-file', work.path('meta')];
  const ended = await work.tryBuild([...files, '-o', output], { env: { SOURCE_DATE_EPOCH: '1' } });
  expect(ended.code, ended.output).toBe(0);
  const [described] = readIndex(layout).manifests as [Descriptor];
  const { config } = read<Manifest>(layout, described);
  expect(readFileSync(work.path('iid'), 'utf8')).toBe(config.digest);
  expect(JSON.parse(readFileSync(work.path('meta'), 'utf8'))).toMatchObject({
    'containerimage.config.digest': config.digest,
    'containerimage.digest': described.digest,
    'containerimage.descriptor': {
      digest: described.digest,
      annotations: { 'org.opencontainers.image.created': '1970-01-01T00:00:01Z' },
      platform: { os: 'linux' },
    },
  });
});

describe('--progress=rawjson', () => {
  test('every line of stderr is a status of BuildKit', async ({ work }) => {
    work.dockerfile('FROM busybox AS Odd\nRUN echo said\n');
    const ended = await work.tryBuild(['--progress', 'rawjson', '--metadata-file', work.path('meta')], {
      env: { BUILDX_METADATA_WARNINGS: '1' },
    });
    expect(ended.code, ended.output).toBe(0);
    const statuses = ended.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, readonly Record<string, unknown>[]>);
    const told = (kind: string): readonly Record<string, unknown>[] => statuses.flatMap((one) => one[kind] ?? []);
    const vertex = told('vertexes').find((one) => String(one['name']).includes('RUN echo said'))!;
    expect(told('vertexes').findLast((one) => one['digest'] === vertex['digest'])).toMatchObject({
      started: expect.any(String),
      completed: expect.any(String),
    });
    const log = told('logs').find((one) => one['vertex'] === vertex['digest']);
    expect(Buffer.from(String(log?.['data']), 'base64').toString()).toBe('said\n');
    const metadata = JSON.parse(readFileSync(work.path('meta'), 'utf8')) as Record<string, { short: string }[]>;
    const [warning] = metadata['buildx.build.warnings']!;
    expect(told('warnings')[0]!['short']).toBe(warning!.short);
    expect(Buffer.from(warning!.short, 'base64').toString()).toMatch(/^StageNameCasing: .* \(line 1\)$/);
  });
});
