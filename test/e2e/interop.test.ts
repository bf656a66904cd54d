import { execFileSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import { busyboxLayout } from '../support/busybox.js';
import { flatten, readImage } from '../support/image.js';
import { mountedBlobs, sentBlobs } from '../support/registry-log.js';
import { test, type RegistryBench } from '../support/registry-workspace.js';
import type { TestRegistry } from '../support/registry.js';
import { diskFacts, treeFacts } from '../support/tree-facts.js';
import { isRoot, type Workspace } from '../support/workspace.js';

// Through a real registry: what Slipway pushes is read by other tools, and what those push is built upon here.

const DOCKER = 'application/vnd.docker';
const OCI = 'application/vnd.oci.image';

/** An image with a shell and several layers, pushed by Slipway as `app:1`, with these options of its output. */
async function pushApp(
  work: Workspace,
  bench: RegistryBench,
  options = '',
  ...flags: readonly string[]
): Promise<TestRegistry> {
  const registry = await bench.start();
  work.write({
    Dockerfile: `FROM busybox
WORKDIR /dir
COPY --chown=1000:50 --chmod=640 a /dir/a
RUN echo b > /dir/b && ln /dir/b /dir/c && rm -rf /home && mkdir -m 1777 /sticky
ENV GREETING=hello
CMD ["cat", "/dir/b"]
`,
    a: 'a',
  });
  const busybox = `busybox=oci-layout://${await busyboxLayout()}`;
  await bench.build(
    '--build-context',
    busybox,
    '-t',
    `${registry.host}/app:1`,
    '-o',
    `type=registry${options}`,
    ...flags,
  );
  return registry;
}

/** Several programs, each with file systems of its own, on a machine that does other things too. */
const PATIENCE = { timeout: 240_000 };

describe('what Slipway pushes', PATIENCE, () => {
  test('skopeo inspects and copies it, umoci unpacks it', async ({ work, bench }) => {
    const registry = await pushApp(work, bench);
    const source = `docker://${registry.host}/app:1`;
    const { digest, document } = registry.tagged('app', '1')!;
    const inspected: unknown = JSON.parse(await bench.skopeo('inspect', '--tls-verify=false', source));
    expect(inspected).toMatchObject({ Digest: digest, Layers: document.layers.map((layer) => layer.digest) });
    const layout = work.path('layout');
    await bench.skopeo('copy', '--src-tls-verify=false', '--preserve-digests', source, `oci:${layout}:1`);
    const image = readImage(layout, '1');
    expect(image.descriptor.digest).toBe(digest);
    const rootless = isRoot ? [] : ['--rootless'];
    execFileSync('umoci', ['unpack', ...rootless, '--image', `${layout}:1`, work.path('bundle')], { stdio: 'pipe' });
    expect(diskFacts(work.path('bundle/rootfs'), isRoot)).toEqual(treeFacts(flatten(image.layers), isRoot));
  });

  test('buildah pulls and runs it', async ({ work, bench }) => {
    const registry = await pushApp(work, bench);
    const container = await bench.buildah('from', `${registry.host}/app:1`);
    // Told by the exit code: nothing hangs on how buildah hands on what is printed.
    const script = `test "$(cat /dir/b)" = b
test "$GREETING" = hello
test "$(stat -c '%a %u:%g' /dir/a)" = '640 1000:50'
test "$(stat -c '%a %u:%g' /sticky)" = '1777 0:0'
test ! -e /home`;
    await bench.buildah('run', container, '--', 'sh', '-exc', script);
  });

  for (const { form, options, flags, type } of [
    { form: 'layers in zstd', options: ',compression=zstd', flags: [], type: `${OCI}.manifest.v1+json` },
    { form: 'layers uncompressed', options: ',compression=uncompressed', flags: [], type: `${OCI}.manifest.v1+json` },
    {
      form: "Docker's types",
      options: ',oci-mediatypes=false',
      flags: [],
      type: `${DOCKER}.distribution.manifest.v2+json`,
    },
    { form: 'with provenance', options: '', flags: ['--provenance=mode=min'], type: `${OCI}.index.v1+json` },
  ]) {
    test(`skopeo and buildah take it: ${form}`, async ({ work, bench }) => {
      const registry = await pushApp(work, bench, options, ...flags);
      expect(registry.tagged('app', '1')!.document.mediaType).toBe(type);
      const source = `docker://${registry.host}/app:1`;
      await bench.skopeo('copy', '--all', '--src-tls-verify=false', source, `oci:${work.path('layout')}:1`);
      const container = await bench.buildah('from', `${registry.host}/app:1`);
      await bench.buildah('run', container, '--', 'sh', '-exc', 'test "$(cat /dir/b)" = b');
    });
  }

  test('skopeo turns it into Docker types, with the same layers', async ({ work, bench }) => {
    const registry = await pushApp(work, bench);
    const copy = (format: string, from: string, to: string): Promise<string> =>
      bench.skopeo(
        ...(['copy', '--src-tls-verify=false', '--dest-tls-verify=false', '--format', format].concat(
          `docker://${registry.host}/${from}`,
          `docker://${registry.host}/${to}`,
        ) as [string, ...string[]]),
      );
    await copy('v2s2', 'app:1', 'docker:1');
    const asDocker = registry.tagged('docker', '1')!.document;
    expect(asDocker.mediaType).toBe(`${DOCKER}.distribution.manifest.v2+json`);
    const { layers } = registry.tagged('app', '1')!.document;
    expect(asDocker.layers.map(({ digest }) => digest)).toEqual(layers.map(({ digest }) => digest));
  });
});

describe('what others push is a base here, its layers untouched', PATIENCE, () => {
  const forms = [
    { by: 'skopeo', form: 'Docker types, gzip', args: ['--format', 'v2s2'], manifest: DOCKER, layer: '.tar.gzip' },
    { by: 'skopeo', form: 'OCI types, gzip', args: ['--format', 'oci'], manifest: OCI, layer: '.tar+gzip' },
    {
      by: 'skopeo',
      form: 'OCI types, zstd',
      args: ['--format', 'oci', '--dest-compress-format', 'zstd'],
      manifest: OCI,
      layer: '.tar+zstd',
    },
  ];
  for (const { by, form, args, manifest, layer } of forms) {
    test(`${by}: ${form}`, async ({ work, bench }) => {
      const registry = await bench.start();
      const layout = work.path('base');
      // Without compression, so that skopeo makes its own.
      work.write({ Dockerfile: 'FROM busybox\nCOPY a /a\n', a: 'a' });
      await work.build(['-o', `type=oci,tar=false,compression=uncompressed,dest=${layout}`]);
      await bench.skopeo(
        'copy',
        '--dest-tls-verify=false',
        ...args,
        `oci:${layout}`,
        `docker://${registry.host}/base:1`,
      );
      expect(registry.tagged('base', '1')!.document.mediaType).toMatch(new RegExp(`^${manifest}`));
      expect(registry.tagged('base', '1')!.document.layers[0]!.mediaType.endsWith(layer)).toBe(true);
      await buildUpon(work, bench, registry);
    });
  }

  for (const [form, manifest] of [
    ['docker', DOCKER],
    ['oci', OCI],
  ] as const) {
    test(`buildah: ${form} types`, async ({ work, bench }) => {
      const registry = await pushApp(work, bench);
      const container = await bench.buildah('from', `${registry.host}/app:1`);
      await bench.buildah('run', container, '--', 'sh', '-c', 'echo a > /a');
      await bench.buildah('config', '--label', 'by=buildah', container);
      await bench.buildah('commit', '--signature-policy', bench.policy, '--format', form, container, 'made');
      await bench.buildah('push', 'made', `${registry.host}/base:1`);
      expect(registry.tagged('base', '1')!.document.mediaType).toMatch(new RegExp(`^${manifest}`));
      await buildUpon(work, bench, registry);
    });
  }
});

/** Builds on `base:1`, which has a file `a` and a shell, pushes that, and looks at what was sent. */
async function buildUpon(work: Workspace, bench: RegistryBench, registry: TestRegistry): Promise<void> {
  const base = registry.tagged('base', '1')!.document;
  await registry.takeRequests();
  work.write({ Dockerfile: `FROM ${registry.host}/base:1\nRUN cat /a > /read\n` });
  await bench.build('-t', `${registry.host}/upon:1`, '--push', '--root', work.path('elsewhere'));
  const requests = await registry.takeRequests();
  const upon = registry.tagged('upon', '1')!.document;
  expect(upon.layers.slice(0, -1).map(({ digest, size }) => ({ digest, size }))).toEqual(
    base.layers.map(({ digest, size }) => ({ digest, size })),
  );
  expect(sentBlobs(requests).toSorted()).toEqual([upon.config.digest, upon.layers.at(-1)!.digest].toSorted());
  expect(new Set(mountedBlobs(requests))).toEqual(new Set(base.layers.map(({ digest }) => digest)));
  // Others read it, whatever types are mixed in it.
  const layout = work.path('read-back');
  await bench.skopeo('copy', '--src-tls-verify=false', `docker://${registry.host}/upon:1`, `dir:${layout}`);
  const container = await bench.buildah('from', `${registry.host}/upon:1`);
  await bench.buildah('run', container, '--', 'sh', '-exc', 'test "$(cat /read)" = a');
}
