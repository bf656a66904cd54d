import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { FakeEngine, readAll } from '../../src/exporter/engine/fake-engine.fixture.js';
import { Dockerd, type DockerdKind } from '../support/dockerd.js';
import { loadIntoEngine } from '../../src/exporter/engine/load-into-engine.js';
import type { Descriptor, Manifest } from '../../src/oci/descriptor.js';
import { parseReference, withDefaultTag } from '../../src/oci/reference.js';
import { ImageLayout } from '../../src/store/layout.js';
import { makeCertificates } from '../support/certificates.js';
import { Containerd } from '../support/containerd.js';
import { readImage } from '../support/image.js';
import { Podman } from '../support/podman.js';
import { RegistryBench } from '../support/registry-workspace.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { test, type Built, type Workspace } from '../support/workspace.js';

const PATIENCE_MS = 120_000;

/** What an image is called by an engine that keeps it as Docker always did, and by one that keeps it as containerd does. */
function idOf(built: Built, kind: DockerdKind, exported: string): string {
  return kind === 'newer with containerd’s store' ? exported : built.image.manifest.config.digest;
}

const DOCKERFILE = [
  'FROM busybox AS base',
  'RUN echo lower >/lower && echo gone >/gone',
  'RUN rm /gone',
  'FROM base',
  'WORKDIR /srv/made',
  'COPY --chown=app --chmod=640 file /srv/file',
  'ENV GREETING="hello, engine"',
  'USER app',
  'ENTRYPOINT ["sh", "-c"]',
  'CMD ["echo $GREETING; id -u; pwd; cat /lower /srv/file; ls /gone 2>&1; stat -c %a:%u /srv/file"]',
  '',
].join('\n');
const SAID = 'hello, engine\n1000\n/srv/made\nlower\ncontent\nls: /gone: No such file or directory\n640:1000\n';

/** Of what was handed over, with its layers compressed, as the file `metadata.json` of the workspace tells it. */
function exportedDigest(work: Workspace): string {
  const metadata = JSON.parse(readFileSync(work.path('metadata.json'), 'utf8')) as Record<string, string>;
  return metadata['containerimage.digest']!;
}

function writeContext(work: Workspace): void {
  work.write({ Dockerfile: DOCKERFILE, file: 'content\n' });
}

for (const kind of ['installed', 'newer', 'newer with containerd’s store'] satisfies DockerdKind[]) {
  const missing = Dockerd.missing(kind);
  describe.skipIf(missing)(`Docker, ${kind}${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
    let dir: string;
    let dockerd: Dockerd;
    beforeAll(async () => {
      dir = makeTempDir('d');
      dockerd = await Dockerd.start(path.join(dir, 'engine'), kind);
    }, PATIENCE_MS);
    afterAll(async () => {
      await dockerd?.stop();
      removeTempDir(dir);
    }, PATIENCE_MS);

    /** Builds and hands over; `id` is how the engine is to call the image. */
    async function load(work: Workspace, ...flags: readonly string[]): Promise<{ built: Built; id: string }> {
      const metadata = work.path('metadata.json');
      const built = await work.build(['--load', '--metadata-file', metadata, ...flags], { env: dockerd.env });
      return { built, id: idOf(built, kind, exportedDigest(work)) };
    }

    test('has what --load hands it under all its tags, and runs it', async ({ work }) => {
      writeContext(work);
      const { built, id } = await load(work, '-t', 'loaded:one', '-t', 'registry.example:5000/loaded/two:2');
      for (const name of ['test', 'loaded:one', 'registry.example:5000/loaded/two:2']) {
        expect(await dockerd.imageId(name)).toBe(id);
      }
      const layers = await dockerd.docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', 'test');
      expect(JSON.parse(layers)).toEqual(built.diffIds);
      expect(built.diffIds.length).toBeGreaterThan(3);
      expect(await dockerd.docker('run', '--rm', 'test')).toBe(SAID);
      expect(built.stderr).toContain(`handing the image to the Docker engine at \`${dockerd.host}\``);
    });

    test('takes an image with provenance', async ({ work }) => {
      work.dockerfile('FROM busybox\nCMD ["echo", "attested"]\n');
      const args = ['--load', '--provenance=true', '--metadata-file', work.path('metadata.json'), '-t', 'attested'];
      const ended = await work.tryBuild(args, { env: dockerd.env });
      expect(ended.code, ended.output).toBe(0);
      expect(await dockerd.docker('run', '--rm', 'attested')).toBe('attested\n');
      // An engine that keeps images as they come has the index; one that does not has no place for it.
      if (kind === 'newer with containerd’s store') {
        expect(await dockerd.imageId('attested')).toBe(exportedDigest(work));
      }
    });

    test('a tag goes over to what is loaded later', async ({ work }) => {
      work.dockerfile('FROM busybox\nCMD ["echo", "first"]\n');
      await load(work, '-t', 'moving');
      work.dockerfile('FROM busybox\nCMD ["echo", "second"]\n');
      const { id } = await load(work, '-t', 'moving');
      expect(await dockerd.imageId('moving')).toBe(id);
      expect(await dockerd.docker('run', '--rm', 'moving')).toBe('second\n');
    });

    test('type=docker without dest loads uncompressed layers too, and no name is kept', async ({ work }) => {
      writeContext(work);
      const output = 'type=docker,compression=uncompressed,name=from-output:1';
      await work.build(['-o', output], { env: dockerd.env });
      expect(await dockerd.docker('run', '--rm', 'from-output:1')).toBe(SAID);
      expect((await work.run(['images', '--format', 'json'])).stdout.trim()).toBe('[]');
    });

    test('what docker save writes is loaded, and serves as a base, with its layers as they are', async ({ work }) => {
      writeContext(work);
      const { built } = await load(work, '-t', 'saved:1');
      await dockerd.docker('save', '--output', work.path('saved.tar'), 'saved:1');
      const root = work.path('other-store');
      const loaded = await work.run(['load', '--root', root, '--input', work.path('saved.tar')]);
      expect(loaded.code, loaded.output).toBe(0);
      expect(readImage(root, 'saved:1').config.rootfs.diff_ids).toEqual(built.diffIds);
      work.dockerfile('FROM saved:1\nUSER root\nRUN echo more >>/lower\n');
      const child = await work.build(['--load', '-t', 'child:1'], { env: dockerd.env }, root);
      expect(child.diffIds.slice(0, -1)).toEqual(built.diffIds);
      expect(await dockerd.docker('run', '--rm', 'child:1', 'cat /lower')).toBe('lower\nmore\n');
    });

    test('images go through a registry both ways', async ({ work }) => {
      await using bench = new RegistryBench(work);
      const registry = await bench.start();
      writeContext(work);
      const ours = `${registry.host}/ours:1`;
      const built = await work.build(['-t', ours]);
      await bench.ok(['push', ours]);
      await dockerd.docker('pull', ours);
      expect(await dockerd.docker('run', '--rm', ours)).toBe(SAID);

      await load(work);
      // To another registry, since Docker would say that the first has the layers already.
      const theirs = `${(await bench.start()).host}/theirs:1`;
      await dockerd.docker('tag', 'test', theirs);
      await dockerd.docker('push', theirs);
      const pushed = JSON.parse(
        await bench.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${theirs}`),
      ) as Manifest;
      work.dockerfile(`FROM ${theirs}\nUSER root\nRUN echo more >>/lower\n`);
      const child = await work.build(
        ['--load', '-t', 'child:2'],
        { env: { ...bench.env, ...dockerd.env } },
        work.path('other'),
      );
      expect(child.image.manifest.layers.slice(0, -1).map(({ digest }) => digest)).toEqual(
        pushed.layers.map(({ digest }) => digest),
      );
      expect(child.diffIds.slice(0, -1)).toEqual(built.diffIds);
      expect(await dockerd.docker('run', '--rm', 'child:2', 'cat /lower')).toBe('lower\nmore\n');
    });
  });
}

describe('containerd', () => {
  const missing = Containerd.missing();
  test.skipIf(missing)(`has what ctr takes over (${missing ?? 'as root'})`, async ({ work }) => {
    await using containerd = await Containerd.start(work.path('containerd'));
    writeContext(work);
    const { image } = await work.build();
    const { config, layers } = image.manifest;
    const { digest } = image.descriptor as Descriptor;
    const size = statSync(path.join(work.root, 'blobs/sha256', digest.slice('sha256:'.length))).size;
    const target = { mediaType: image.manifest.mediaType!, digest, size };
    const tags = ['registry.example/one:1', 'two'].map((name) => withDefaultTag(parseReference(name)));
    const blobs = [target, config, ...layers];
    const job = {
      signal: new AbortController().signal,
      emit: () => undefined,
      session: { contexts: new Map() },
      now: Date.now,
    };
    // The command line asks for the machine's own.
    await loadIntoEngine(
      { source: new ImageLayout(work.root), target, blobs, config, layers, tags },
      process.env,
      job,
      {
        dockerSocket: work.path('none'),
        containerdSocket: containerd.socket,
        findProgram: (name) => (name === 'ctr' ? containerd.ctr : undefined),
      },
    );
    expect(await containerd.images()).toEqual(
      new Map([
        ['registry.example/one:1', digest],
        ['docker.io/library/two:latest', digest],
      ]),
    );
  });
});

describe('podman', () => {
  const missing =
    Podman.missing() ?? (existsSync('/var/run/docker.sock') ? 'this machine’s Docker comes first' : undefined);
  test.skipIf(missing)(
    `has what --load hands it under all its tags (${missing ?? 'as this user'})`,
    { timeout: PATIENCE_MS },
    async ({ work }) => {
      await using podman = new Podman(work.path('podman'));
      writeContext(work);
      const built = await work.build(['--load', '-t', 'two:2', '-t', 'registry.example/three:3'], { env: podman.env });
      expect(built.stderr).toContain('handing the image to `podman load`');
      for (const name of ['docker.io/library/test:latest', 'two:2', 'registry.example/three:3']) {
        expect(await podman.imageId(name)).toBe(built.image.manifest.config.digest);
      }
    },
  );
});

test('an engine over TLS knows the client by its certificate, and the client the engine', async ({ work }) => {
  const { ca, server, client } = makeCertificates(work.path('certificates'));
  const read = (file: string): Buffer => readFileSync(file);
  const tls = {
    ca: read(ca.cert),
    cert: read(server.cert),
    key: read(server.key),
    requestCert: true,
    rejectUnauthorized: true,
  };
  await using engine = await FakeEngine.startTls(tls);
  const config = work.path('docker');
  mkdirSync(config);
  work.dockerfile('FROM busybox\nCMD ["true"]\n');
  const env = { DOCKER_HOST: engine.host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: config, DOCKER_CONFIG: config };

  const unknown = await work.tryBuild(['--load'], { env });
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/cannot be used\n {2}caused by: .*certificate/);
  expect(engine.requests).toEqual([]);

  copyFileSync(ca.cert, path.join(config, 'ca.pem'));
  copyFileSync(client.cert, path.join(config, 'cert.pem'));
  copyFileSync(client.key, path.join(config, 'key.pem'));
  await work.build(['--load'], { env });
  expect(engine.requests).toEqual(['GET /_ping', 'POST /images/load?quiet=1']);
});

describe('an engine that does not take the image', () => {
  test('ends the build with what it said, and the store has the image all the same', async ({ work }) => {
    await using engine = await FakeEngine.start(work.dir, async (request, response) => {
      await readAll(request, response);
      response.end('{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}');
    });
    work.dockerfile('FROM busybox\nCMD ["true"]\n');
    const env = { DOCKER_HOST: engine.host };
    const ended = await work.tryBuild(['--load'], { env });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain(
      `error: the Docker engine at \`${engine.host}\` does not take the image: no space left on device`,
    );
    expect(ended.stderr).toContain('hint: free some space where it keeps its images');
    expect(JSON.parse((await work.run(['images', '--format', 'json'])).stdout)).toHaveLength(1);
  });

  test('is an error that says what to do when it is not there', async ({ work }) => {
    work.dockerfile('FROM busybox\nCMD ["true"]\n');
    const ended = await work.tryBuild(['--load'], { env: { DOCKER_HOST: `unix://${work.dir}/none` } });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^error: the Docker engine at `unix:.*\/none` cannot be used$/m);
    expect(ended.stderr).toMatch(/^hint: start it, or change DOCKER_HOST or the Docker context/m);
  });
});
