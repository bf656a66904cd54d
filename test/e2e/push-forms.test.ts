import { beforeEach, expect } from 'vitest';
import type { Manifest } from '../../src/oci/descriptor.js';
import { test, type RegistryBench } from '../support/registry-workspace.js';
import type { TestRegistry } from '../support/registry.js';
import type { Workspace } from '../support/workspace.js';

const LAYER = 'application/vnd.oci.image.layer.v1.tar';

beforeEach<{ work: Workspace }>(({ work }) => {
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\nCOPY b /\n', a: 'a'.repeat(5000), b: 'b' });
});

/** Builds an image into a registry only, and pulls it into a store that never built it. */
async function pulled(registry: TestRegistry, options: string, work: Workspace, bench: RegistryBench): Promise<string> {
  const name = `${registry.host}/from:1`;
  await bench.build('--root', work.path('builder'), '-o', `type=registry,name=${name},${options}`);
  await bench.ok(['pull', name]);
  return name;
}

function layerTypes(document: Manifest): readonly string[] {
  return document.layers.map(({ mediaType }) => mediaType.replace(LAYER, ''));
}

test.for([
  ['compression=gzip', []],
  ['compression=gzip,compression-level=1', ['--compression', 'gzip']],
  ['compression=zstd', ['--compression', 'gzip']],
  ['compression=zstd', ['--compression', 'zstd', '--force-compression']],
  ['compression=uncompressed', []],
  ['compression=uncompressed', ['--compression', 'uncompressed']],
  ['oci-mediatypes=false', []],
] as const)('what was pulled with %s goes on byte for byte: %s', async ([options, flags], { work, bench }) => {
  const registry = await bench.start();
  const name = await pulled(registry, options, work, bench);
  const to = `${registry.host}/to:2`;
  await bench.ok(['tag', name, to]);
  const { stdout } = await bench.ok(['push', ...flags, to]);
  expect(registry.tagged('to', '2')).toEqual(registry.tagged('from', '1'));
  expect(stdout.trim()).toBe(registry.tagged('from', '1')!.digest);
});

test.for([
  ['compression=gzip', ['--compression', 'zstd'], ['+gzip', '+gzip']],
  ['compression=gzip', ['--compression', 'zstd', '--force-compression'], ['+zstd', '+zstd']],
  ['compression=zstd', ['--force-compression'], ['+gzip', '+gzip']],
  ['compression=uncompressed', ['--compression', 'gzip', '--compression-level', '9'], ['+gzip', '+gzip']],
] as const)('what was pulled with %s and is pushed with %s', async ([options, flags, types], { work, bench }) => {
  const registry = await bench.start();
  const name = await pulled(registry, options, work, bench);
  const to = `${registry.host}/to:2`;
  await bench.ok(['tag', name, to]);
  await bench.ok(['push', ...flags, to]);
  const { document } = registry.tagged('to', '2')!;
  expect(layerTypes(document)).toEqual(types);
  expect(document.config).toEqual(registry.tagged('from', '1')!.document.config);
  const raw = await bench.skopeo('inspect', '--tls-verify=false', `docker://${to}`);
  expect(JSON.parse(raw)).toMatchObject({ Layers: document.layers.map(({ digest }) => digest) });
});

test('a manifest that another tool wrote stays as it is, though its layers are asked for as they are', async ({
  work,
  bench,
}) => {
  const registry = await bench.start();
  const name = await pulled(registry, 'compression=gzip', work, bench);
  const theirs = `${registry.host}/theirs:1`;
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  await bench.skopeo('copy', '-q', ...insecure, '--format', 'v2s2', `docker://${name}`, `docker://${theirs}`);
  await bench.ok(['pull', theirs]);
  const to = `${registry.host}/to:2`;
  await bench.ok(['tag', theirs, to]);
  await bench.ok(['push', '--compression', 'gzip', to]);
  expect(registry.tagged('to', '2')!.digest).toBe(registry.tagged('theirs', '1')!.digest);
});

test('an index is pushed byte for byte, and nothing of it compressed anew', async ({ bench }) => {
  const registry = await bench.start();
  const name = `${registry.host}/app:1`;
  const built = await bench.build('-t', name, '--provenance=true');
  const { stdout } = await bench.ok(['push', name]);
  expect(stdout).toBe(built.stdout);
  expect(registry.tagged('app', '1')!.digest).toBe(stdout.trim());
  const refused = await bench.run(['push', '--compression', 'zstd', name]);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('is an index');
});

test('--all-tags pushes all names of a repository, and of no other', async ({ work, bench }) => {
  const registry = await bench.start();
  const name = (rest: string): string => `${registry.host}/${rest}`;
  await bench.build('-t', name('app:1'), '-t', name('app:latest'), '-t', name('apple:1'));
  work.write({ b: 'changed' });
  await bench.build('-t', name('app:2'));
  const { stdout } = await bench.ok(['push', '--all-tags', name('app')]);
  const [one, two] = [registry.tagged('app', '1')!.digest, registry.tagged('app', '2')!.digest];
  expect(registry.tagged('app', 'latest')!.digest).toBe(one);
  expect(stdout.trim().split('\n').toSorted()).toEqual([one, one, two].toSorted());
  expect(one).not.toBe(two);
  expect(registry.tagged('apple', '1')).toBeUndefined();
  const refusals = [
    [name('app:1'), 'has a tag or digest, and `--all-tags` takes names of repositories'],
    [name('other'), 'no image of'],
  ] as const;
  for (const [asked, message] of refusals) {
    const refused = await bench.run(['push', '-a', asked]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(message);
  }
});

test.for([
  [['--compression', 'lzma'], 'unknown compression `lzma`'],
  [['--compression-level', '10'], 'the compression level must be 0 to 9, not 10'],
  [['--compression', 'zstd', '--compression-level', '23'], 'the compression level must be 0 to 22, not 23'],
  [['--compression-level', 'x'], 'invalid compression level `x`'],
] as const)('%s is refused', async ([flags, message], { bench }) => {
  const refused = await bench.run(['push', ...flags, '127.0.0.1:1/app']);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain(message);
});

test('what was built here is compressed, also after it was once pushed as it lies', async ({ bench }) => {
  const registry = await bench.start();
  const name = `${registry.host}/own:1`;
  await bench.build('-t', name);
  await bench.ok(['push', '--compression', 'uncompressed', name]);
  expect(layerTypes(registry.tagged('own', '1')!.document)).toEqual(['', '']);
  await bench.ok(['push', name]);
  expect(layerTypes(registry.tagged('own', '1')!.document)).toEqual(['+gzip', '+gzip']);
});
