import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { beforeEach, describe, expect } from 'vitest';
import type { Descriptor, Index, Manifest } from '../../src/oci/descriptor.js';
import type { ImageConfig } from '../../src/oci/image-config.js';
import { layoutFaults } from '../support/check-layout.js';
import { readImage } from '../support/image.js';
import { test } from '../support/nameless-build.js';
import type { Ended } from '../support/slipway.js';
import type { Workspace } from '../support/workspace.js';

beforeEach<{ work: Workspace }>(({ work }) => {
  work.write({ Dockerfile: 'FROM busybox\nCOPY a /d/a\nCOPY b /d/b\n', a: 'a'.repeat(5000), b: 'b' });
});

function blobOf<T>(layout: string, { digest }: Pick<Descriptor, 'digest'>): T {
  return JSON.parse(readFileSync(path.join(layout, 'blobs/sha256', digest.slice(7)), 'utf8')) as T;
}

/** What the index of a layout lists. */
function entriesOf(layout: string): readonly Descriptor[] {
  return (JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as Index).manifests;
}

function typesOf({ mediaType, config, layers }: Manifest): readonly (string | undefined)[] {
  return [mediaType, config.mediaType, ...layers.map((layer) => layer.mediaType)];
}

/** The last lines of what people are told. */
function summaryOf({ stderr }: Ended): readonly string[] {
  const lines = stderr.trim().split('\n');
  return lines.slice(lines.findIndex((line) => line.startsWith('built')) + 1);
}

/** A port of this machine where nobody answers. */
async function deafPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('several outputs of one build', () => {
  test('each gets the same image in its own form, and the summary tells of each', async ({ work, bench, builds }) => {
    const registry = await bench.start();
    const name = `${registry.host}/team/app:1`;
    const outputs = [
      `type=oci,tar=false,compression=zstd,force-compression=true,dest=${work.path('dir')}`,
      `type=image,name=${name},push=true`,
      `type=docker,dest=${work.path('docker.tar')}`,
      `type=local,dest=${work.path('files')}`,
      `type=tar,dest=${work.path('files.tar')}`,
    ];
    const built = await builds.ok(['-t', 'local:1', ...outputs.flatMap((output) => ['-o', output])]);
    const oci = readImageDocuments(work.path('dir'));
    const pushed = registry.tagged('team/app', '1')!;
    const stored = readImage(work.root, name);
    expect(built.stdout).toBe(`${pushed.digest}\n`);
    expect([oci.manifest.config.digest, pushed.document.config.digest]).toEqual(
      Array(2).fill(stored.manifest.config.digest),
    );
    const manifest = execFileSync('tar', ['-xOf', work.path('docker.tar'), 'manifest.json']).toString();
    expect(JSON.parse(manifest)).toEqual([
      expect.objectContaining({ Config: `blobs/sha256/${stored.manifest.config.digest.slice(7)}` }),
    ]);
    expect(readFileSync(work.path('files/d/b'), 'utf8')).toBe('b');
    expect(execFileSync('tar', ['-tf', work.path('files.tar')]).toString()).toContain('d/b\n');
    expect(readImage(work.root, 'local:1').descriptor.digest).toBe(stored.descriptor.digest);
    expect(summaryOf(built)).toEqual([
      `wrote ${work.path('dir')}, type=oci: ${oci.descriptor.digest}`,
      `stored: ${stored.descriptor.digest}`,
      `pushed ${name}: ${pushed.digest}`,
      expect.stringMatching(/docker\.tar, type=docker: sha256:[0-9a-f]{64}$/),
      `wrote ${work.path('files')}, type=local`,
      `wrote ${work.path('files.tar')}, type=tar`,
    ]);
  });

  test('one destination that fails is named, and nothing is told of as pushed', async ({ bench, builds }) => {
    const registry = await bench.start();
    const deaf = `127.0.0.1:${await deafPort()}`;
    const ended = await builds.run(['--push', '-t', `${registry.host}/app:1`, '-t', `${deaf}/app:1`]);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain(`${deaf}/app`);
    expect(ended.stderr).not.toMatch(/^pushed/m);
  });

  test('names of an output are where it is pushed, and the tags of the build are not', async ({ bench, builds }) => {
    const registry = await bench.start();
    const built = await builds.ok([
      '-t',
      `${registry.host}/tagged:1`,
      '-o',
      `type=registry,"name=${registry.host}/a,${registry.host}/b:2"`,
    ]);
    const digest = built.stdout.trim();
    expect(summaryOf(built)).toEqual([
      `pushed ${registry.host}/a:latest: ${digest}`,
      `pushed ${registry.host}/b:2: ${digest}`,
    ]);
    expect(registry.tagged('tagged', '1')).toBeUndefined();
  });
});

function readImageDocuments(layout: string): { readonly descriptor: Descriptor; readonly manifest: Manifest } {
  const [descriptor] = entriesOf(layout) as [Descriptor];
  return { descriptor, manifest: blobOf<Manifest>(layout, descriptor) };
}

describe('oci-mediatypes=false', () => {
  const DOCKER = 'application/vnd.docker';
  const DOCKER_TYPES = [
    `${DOCKER}.distribution.manifest.v2+json`,
    `${DOCKER}.container.image.v1+json`,
    ...Array<string>(3).fill(`${DOCKER}.image.rootfs.diff.tar.gzip`),
  ];

  test('gives types of Docker throughout, which a registry and skopeo read', async ({ work, bench, builds }) => {
    const registry = await bench.start();
    const name = `${registry.host}/app:1`;
    await builds.ok([
      '-o',
      `type=image,name=${name},push=true,oci-mediatypes=false,annotation.a=b`,
      '-o',
      `type=oci,tar=false,oci-mediatypes=false,dest=${work.path('dir')}`,
    ]);
    const raw = await bench.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`);
    expect(typesOf(JSON.parse(raw) as Manifest)).toEqual(DOCKER_TYPES);
    expect(JSON.parse(raw)).not.toHaveProperty('annotations');
    const { descriptor, manifest } = readImageDocuments(work.path('dir'));
    expect(typesOf(manifest)).toEqual(DOCKER_TYPES);
    expect(descriptor.mediaType).toBe(manifest.mediaType);
    const plain = `${DOCKER}.image.rootfs.diff.tar`;
    const [manifestType, configType, base] = DOCKER_TYPES;
    expect(typesOf(readImage(work.root, name).manifest)).toEqual([manifestType, configType, base, plain, plain]);
    await bench.skopeo('copy', '-q', '--src-tls-verify=false', `docker://${name}`, `oci:${work.path('copied')}:1`);
    expect(await layoutFaults(work.path('copied'))).toEqual([]);
  });
});

describe('compression', () => {
  const LAYER = 'application/vnd.oci.image.layer.v1.tar';
  test.for([
    ['compression=zstd', ['+gzip', '+zstd', '+zstd']],
    ['compression=zstd,compression-level=19,force-compression=true', ['+zstd', '+zstd', '+zstd']],
    ['compression=gzip,compression-level=0', ['+gzip', '+gzip', '+gzip']],
    ['compression=uncompressed', ['+gzip', '', '']],
    ['compression=uncompressed,force-compression=true', ['', '', '']],
  ] as const)('%s', async ([options, types], { work, bench, builds }) => {
    const registry = await bench.start();
    const name = `${registry.host}/app:1`;
    const layout = work.path('dir');
    await builds.ok(['-o', `type=oci,tar=false,${options},name=app:1,dest=${layout}`]);
    await builds.ok(['-o', `type=registry,name=${name},${options}`]);
    const { manifest } = readImageDocuments(layout);
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual(types.map((type) => `${LAYER}${type}`));
    // The form is one, whether it goes to a file or to a registry.
    expect(registry.tagged('app', '1')!.document.layers).toEqual(manifest.layers);
    // The judge decompresses each layer, which then has the name of the diffID that the config promises.
    const plain = work.path('decompressed');
    await bench.skopeo('copy', '-q', '--src-tls-verify=false', '--dest-decompress', `docker://${name}`, `dir:${plain}`);
    const config = blobOf<ImageConfig>(layout, manifest.config);
    for (const diffId of config.rootfs.diff_ids) expect(readdirSync(plain)).toContain(diffId.slice(7));
    if (types.some((type) => type === '+zstd')) return; // umoci knows no zstd
    const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
    execFileSync('umoci', ['unpack', ...rootless, '--image', `${layout}:1`, work.path('bundle')]);
    expect(readFileSync(work.path('bundle/rootfs/d/a'), 'utf8')).toBe('a'.repeat(5000));
  });
});

describe('annotations', () => {
  const LEVELS = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'];

  test('stand in the documents that they are for, where an index is made', async ({ work, builds }) => {
    const layout = work.path('dir');
    const own = LEVELS.map((level) => `annotation-${level}.own=${level}`).join();
    await builds.ok([
      ...LEVELS.flatMap((level) => ['--annotation', `${level}:flag=${level}`]),
      '--annotation',
      'manifest[linux/s390x],manifest-descriptor[linux/s390x]:other=x',
      '--provenance=true',
      '-o',
      `type=oci,tar=false,dest=${layout},${own}`,
    ]);
    const [entry] = entriesOf(layout) as [Descriptor];
    const index = blobOf<Index>(layout, entry);
    const [image] = index.manifests as [Descriptor];
    const both = (level: string): object => ({ flag: level, own: level });
    expect(entry.annotations).toMatchObject(both('index-descriptor'));
    expect(index.annotations).toEqual(both('index'));
    expect(image.annotations).toEqual(both('manifest-descriptor'));
    expect(blobOf<Manifest>(layout, image).annotations).toEqual(both('manifest'));
  });

  test('of a manifest are in the store, in archives and in registries', async ({ work, bench, builds }) => {
    const registry = await bench.start();
    const name = `${registry.host}/app:1`;
    const layout = work.path('dir');
    await builds.ok([
      '--annotation',
      'a=flag',
      '--annotation',
      'b=flag',
      '--annotation',
      'manifest-descriptor:c=d',
      '-o',
      `type=image,name=${name},push=true,annotation.b=own`,
      '-o',
      `type=oci,tar=false,dest=${layout}`,
    ]);
    const { descriptor, manifest } = readImageDocuments(layout);
    expect(descriptor.annotations).toMatchObject({ c: 'd' });
    expect(manifest.annotations).toEqual({ a: 'flag', b: 'flag' });
    expect(readImage(work.root, name).manifest.annotations).toEqual({ a: 'flag', b: 'own' });
    expect(registry.tagged('app', '1')!.document.annotations).toEqual({ a: 'flag', b: 'own' });
  });
});

describe('the names of the store', () => {
  test('what is only pushed is not listed; store=true, name-canonical and dangling names are', async ({
    work,
    bench,
    builds,
  }) => {
    const registry = await bench.start();
    const listed = async (): Promise<readonly (string | undefined)[]> => {
      const { stdout } = await bench.ok(['images', '--format', 'json']);
      return (JSON.parse(stdout) as { repository?: string; tag?: string }[]).map(
        ({ repository, tag }) => `${repository}:${tag}`,
      );
    };
    const name = `${registry.host}/app`;
    await builds.ok(['-o', `type=registry,name=${name}`]);
    expect(await listed()).toEqual([]);
    await builds.ok(['-o', `type=registry,name=${name},store=true`]);
    expect(await listed()).toEqual([`${name}:latest`]);
    const { stdout } = await builds.ok(['-o', 'type=image,name=other:1,name-canonical=true']);
    const digest = stdout.trim();
    expect(readImage(work.root, `docker.io/library/other@${digest}`).descriptor.digest).toBe(digest);
    expect(readImage(work.root, 'other:1').descriptor.digest).toBe(digest);
    await bench.ok(['inspect', `other@${digest}`]);
    await bench.ok(['rmi', `other@${digest}`]);
    expect(readImage(work.root, 'other:1').descriptor.digest).toBe(digest);
    work.write({ b: 'changed' });
    const dangling = await builds.ok(['-o', 'type=image,dangling-name-prefix=team/dangling']);
    const place = `docker.io/team/dangling@${dangling.stdout.trim()}`;
    expect(readImage(work.root, place).descriptor.digest).toBe(dangling.stdout.trim());
  });
});

test.for([
  [['-o', 'type=registry'], 'tag is needed when pushing to registry'],
  [
    ['-o', 'type=registry,name=127.0.0.1:1/app:1,push-by-digest=true'],
    "can't push tagged ref 127.0.0.1:1/app:1 by digest",
  ],
  [['--push', '--offline', '-t', '127.0.0.1:1/app'], 'an offline build cannot push'],
  [['-o', '-', '-o', 'type=oci,dest=-'], 'only one output can be written to stdout'],
  [['-o', 'type=oci,dest=x,compression=estargz'], 'compression `estargz` is not supported'],
  [['-o', 'type=image,pusj=true'], 'did you mean push?'],
] as const)('%s is refused before anything is built', async ([args, message], { work, builds }) => {
  const ended = await builds.run(args);
  expect(ended).toMatchObject({ stdout: '' });
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toContain(message);
  const blobs = path.join(work.root, 'blobs/sha256');
  expect(existsSync(blobs) ? readdirSync(blobs) : []).toEqual([]);
});
