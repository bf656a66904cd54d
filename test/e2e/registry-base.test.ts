import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { hostPlatform } from '../../src/oci/platform.js';
import { busyboxLayout } from '../support/busybox.js';
import { writeLayout } from '../support/layout.js';
import { test, type RegistryBench } from '../support/registry-workspace.js';
import type { TestRegistry } from '../support/registry.js';
import { makeTar, sha256 } from '../support/tar.js';
import type { Workspace } from '../support/workspace.js';

// Bases are put into the registry by skopeo, so that what is tested is only how they are used.

/** Puts an image with one file, `etc/base`, into the registry under `app/base:TAG`; gives its digest. */
async function putBase(
  work: Workspace,
  bench: RegistryBench,
  registry: TestRegistry,
  tag: string,
  content: string,
): Promise<string> {
  const dir = work.path(`base-${content}`);
  writeLayout(dir, {
    layers: [
      makeTar([
        { path: 'etc', type: 'dir' },
        { path: 'etc/base', content },
      ]),
    ],
  });
  await bench.skopeo('copy', '--dest-tls-verify=false', `oci:${dir}`, `docker://${registry.host}/app/base:${tag}`);
  return registry.tagged('app/base', tag)!.digest;
}

test('an unchanged rebuild needs no registry; --pull does, and sees a tag that moved', async ({ work, bench }) => {
  const registry = await bench.start();
  await putBase(work, bench, registry, '1', 'old');
  work.write({ Dockerfile: `FROM ${registry.host}/app/base:1\nCOPY a /\n`, a: 'a' });
  const options = { env: bench.env };
  const first = await work.build([], options);
  expect(first.text('etc/base')).toBe('old');
  await registry.stop();
  const offline = await work.build([], options);
  expect(offline.stdout).toBe(first.stdout);
  // Another file on the same base, whose layers are here.
  work.write({ a: 'changed' });
  expect((await work.build([], options)).text('a')).toBe('changed');

  const pull = await work.tryBuild(['--pull'], options);
  expect(pull.code).toBe(1);
  expect(pull.stderr).toContain(`${registry.host}/app/base:1`);
  expect(pull.stderr).toContain('connection refused');

  await registry.start();
  await putBase(work, bench, registry, '1', 'new');
  expect((await work.build([], options)).text('etc/base')).toBe('old');
  expect((await work.build(['--pull'], options)).text('etc/base')).toBe('new');
  expect((await work.build([], options)).text('etc/base')).toBe('new');
});

test('a digest pins a base, whatever its tag stands for by now', async ({ work, bench }) => {
  const registry = await bench.start();
  const digest = await putBase(work, bench, registry, '1', 'old');
  await putBase(work, bench, registry, '1', 'new');
  work.dockerfile(`FROM ${registry.host}/app/base:1@${digest}\n`);
  expect((await work.build([], { env: bench.env })).text('etc/base')).toBe('old');
  const missing = `sha256:${'0'.repeat(64)}`;
  work.dockerfile(`FROM ${registry.host}/app/base:1@${missing}\n`);
  const failed = await work.tryBuild([], { env: bench.env });
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain(missing);
});

test('no such image: the error names it, and the place in the Dockerfile', async ({ work, bench }) => {
  const registry = await bench.start();
  work.dockerfile(`FROM ${registry.host}/nothing:1\n`);
  const { code, stderr } = await work.tryBuild([], { env: bench.env });
  expect(code).toBe(1);
  expect(stderr).toContain(`${registry.host}/nothing:1`);
  expect(stderr).toContain('Dockerfile:1');
});

test('RUN stands on a base of a registry, and COPY --from takes from one', async ({ work, bench }) => {
  const registry = await bench.start();
  await putBase(work, bench, registry, '1', 'files');
  const busybox = `${registry.host}/busybox:1`;
  await bench.skopeo('copy', '--dest-tls-verify=false', `oci:${await busyboxLayout()}`, `docker://${busybox}`);
  work.dockerfile(
    `FROM ${busybox}\nCOPY --from=${registry.host}/app/base:1 /etc/base /copied\nRUN cat /copied > /read\n`,
  );
  const built = await work.build([], { env: bench.env }, work.path('elsewhere'));
  expect(built.text('read')).toBe('files');
  expect(built.hadWorker).toBe(true);
});

test("a base in Docker's types: its layers as they are, in a manifest that is OCI's throughout", async ({
  work,
  bench,
}) => {
  const registry = await bench.start();
  const to = `docker://${registry.host}/docker:1`;
  const layout = await busyboxLayout();
  await bench.skopeo('copy', '--dest-tls-verify=false', '--format', 'v2s2', `oci:${layout}`, to);
  const base = registry.tagged('docker', '1')!.document;
  expect(base.layers[0]!.mediaType).toBe('application/vnd.docker.image.rootfs.diff.tar.gzip');
  work.write({ Dockerfile: `FROM ${registry.host}/docker:1\nCOPY a /\n`, a: 'a' });
  const [first] = (await work.build([], { env: bench.env })).image.manifest.layers;
  expect(first).toEqual({ ...base.layers[0], mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' });
});

test('of an index the image for the platform is taken', async ({ work, bench }) => {
  const registry = await bench.start();
  const layout = work.path('index');
  const host = hostPlatform();
  const other = host.architecture === 'arm64' ? 'amd64' : 'arm64';
  writeIndex(layout, [other, host.architecture]);
  await bench.skopeo(
    'copy',
    '--all',
    '--dest-tls-verify=false',
    `oci:${layout}:multi`,
    `docker://${registry.host}/multi:1`,
  );
  work.dockerfile(`FROM ${registry.host}/multi:1\n`);
  expect((await work.build([], { env: bench.env })).text('arch')).toBe(host.architecture);
  const foreign = await work.build(['--platform', `linux/${other}`], { env: bench.env });
  expect(foreign.text('arch')).toBe(other);
  expect(foreign.image.config.architecture).toBe(other);
  const missing = await work.tryBuild(['--platform', 'linux/s390x'], { env: bench.env });
  expect(missing.code).toBe(1);
  expect(missing.stderr).toMatch(/s390x/);
});

/** A layout with an index `multi` of one image for each architecture, which has a file `arch`. */
function writeIndex(dir: string, architectures: readonly string[]): void {
  const manifests = architectures.map((architecture) => {
    writeLayout(dir, {
      layers: [makeTar([{ path: 'arch', content: architecture }])],
      platform: { os: 'linux', architecture },
    });
    const { manifests } = JSON.parse(readFileSync(path.join(dir, 'index.json'), 'utf8')) as { manifests: object[] };
    return { ...manifests[0], platform: { os: 'linux', architecture } };
  });
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const digest = sha256(index);
  writeFileSync(path.join(dir, 'blobs/sha256', digest.slice(7)), index);
  const annotations = { 'org.opencontainers.image.ref.name': 'multi' };
  const top = { schemaVersion: 2, manifests: [{ mediaType, digest, size: index.length, annotations }] };
  writeFileSync(path.join(dir, 'index.json'), JSON.stringify(top));
}
