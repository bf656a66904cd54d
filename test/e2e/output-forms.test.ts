import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { readImage } from '../support/image.js';
import { test } from '../support/registry-workspace.js';

interface RawManifest {
  readonly mediaType: string;
  readonly config: { readonly mediaType: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

describe('the form of an image', () => {
  test('several outputs of one build, each in its own', async ({ work, bench }) => {
    const registry = await bench.start();
    work.write({ Dockerfile: 'FROM scratch\nCOPY a b /\n', a: 'a'.repeat(5000), b: 'b' });
    const metadata = work.path('meta.json');
    const ended = await bench.build(
      '-t',
      `${registry.host}/some/app:1`,
      '--metadata-file',
      metadata,
      '-o',
      `type=oci,dest=${work.path('zstd')},tar=false,compression=zstd`,
      '-o',
      `type=docker,dest=${work.path('docker.tar')},compression=uncompressed`,
      '-o',
      `type=local,dest=${work.path('files')}`,
      '-o',
      'type=image',
      '-o',
      'type=registry,oci-mediatypes=false',
    );
    const raw = await bench.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/some/app:1`);
    const pushed = JSON.parse(raw) as RawManifest;
    expect(pushed.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    expect(pushed.config.mediaType).toBe('application/vnd.docker.container.image.v1+json');
    expect(pushed.layers.map(({ mediaType }) => mediaType)).toEqual([
      'application/vnd.docker.image.rootfs.diff.tar.gzip',
    ]);
    const digest = registry.tagged('some/app', '1')!.digest;
    expect(ended.stdout.trim()).toBe(digest);
    expect(ended.stderr).toContain(`pushed ${registry.host}/some/app:1: ${digest}`);
    expect(JSON.parse(readFileSync(metadata, 'utf8'))).toMatchObject({ 'containerimage.digest': digest });

    expect(await layoutFaults(work.path('zstd'))).toEqual([]);
    const inspect = async (...args: readonly string[]): Promise<unknown> =>
      JSON.parse(await bench.skopeo('inspect', ...args)) as unknown;
    const zstd = (await inspect('--raw', `oci:${work.path('zstd')}:1`)) as RawManifest;
    expect(zstd.layers[0]!.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd');
    expect(readdirSync(work.path('files')).sort()).toEqual(['a', 'b']);
    expect(await inspect('--config', `docker-archive:${work.path('docker.tar')}`)).toEqual(
      await inspect('--config', `oci:${work.path('zstd')}:1`),
    );
    expect((await bench.ok(['images'])).stdout).toContain(`${registry.host}/some/app`);
  });

  test('an image that is only pushed is not listed; cacheonly leaves nothing but the cache', async ({
    work,
    bench,
  }) => {
    const registry = await bench.start();
    work.write({ Dockerfile: 'FROM busybox\nRUN echo ran > /file\n' });
    const only = await work.tryBuild(['-o', 'type=cacheonly'], { env: bench.env });
    expect(only).toMatchObject({ code: 0, stdout: '' });
    const flags = work.buildArgs().filter((one) => !['build', '-t', 'test', work.context].includes(one));
    const pushed = await bench.ok(['build', ...flags, '--push', '-t', `${registry.host}/app`, work.context]);
    expect(pushed.stdout.trim()).toBe(registry.tagged('app', 'latest')!.digest);
    expect(pushed.stderr).toContain('0 steps run');
    const nameless = await bench.run(['build', ...flags, '--push', work.context]);
    expect(nameless).toMatchObject({ code: 2 });
    expect(nameless.stderr).toContain('tag is needed when pushing to registry');
    expect(JSON.parse((await bench.ok(['images', '--format', 'json'])).stdout)).toEqual([]);
  });

  test('annotations stand where they are asked for', async ({ work }) => {
    work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
    const annotations = ['a=1', 'manifest-descriptor:b=2', 'index:c=3', 'index-descriptor:d=4'];
    const flags = annotations.flatMap((one) => ['--annotation', one]);
    const dest = (name: string): string => `type=oci,tar=false,dest=${work.path(name)}`;

    const refused = await work.tryBuild([...flags, '-o', dest('refused')]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('index annotations not supported for single platform export');

    await work.build([...flags.slice(0, 4), '-o', `${dest('plain')},annotation.e=5`]);
    const plain = readImage(work.path('plain'), 'latest');
    expect(plain.manifest.annotations).toEqual({ a: '1', e: '5' });
    expect(plain.descriptor.annotations).toMatchObject({ b: '2' });

    await work.build([...flags, '--provenance=true', '-o', dest('attested')]);
    const index = JSON.parse(readFileSync(work.path('attested/index.json'), 'utf8')) as {
      manifests: [{ digest: string }];
    };
    expect(index.manifests[0]).toMatchObject({ annotations: { d: '4' } });
    const blob = work.path(`attested/blobs/sha256/${index.manifests[0].digest.slice(7)}`);
    const attested = JSON.parse(readFileSync(blob, 'utf8')) as object;
    expect(attested).toMatchObject({ annotations: { c: '3' }, manifests: [{ annotations: { b: '2' } }, {}] });
  });
});

test('type=local with mode=delete makes the directory the result, and only where that is allowed', async ({ work }) => {
  work.write({ Dockerfile: 'FROM scratch\nCOPY a d /\n', a: 'a', 'd/b': 'b' });
  const inside = work.path('run/out');
  mkdirSync(`${inside}/old/deep`, { recursive: true });
  for (const file of ['x', 'old/deep/y']) writeFileSync(`${inside}/${file}`, '');
  const build = async (dest: string, ...more: string[]) =>
    await work.tryBuild(['-o', `type=local,dest=${dest},mode=delete`, ...more], { cwd: work.path('run') });

  expect(await build('out')).toMatchObject({ code: 0 });
  expect(readdirSync(inside).sort()).toEqual(['a', 'b']);

  for (const dest of ['.', '..', '../elsewhere', work.path('elsewhere')]) {
    const refused = await build(dest);
    expect(refused.code, dest).toBe(1);
    expect(refused.stderr).toContain('requires --allow=buildx.local.delete');
  }
  expect(existsSync(work.path('elsewhere'))).toBe(false);
  expect(await build(work.path('elsewhere'), '--allow', 'buildx.local.delete')).toMatchObject({ code: 0 });
  expect(readdirSync(work.path('elsewhere')).sort()).toEqual(['a', 'b']);
});
