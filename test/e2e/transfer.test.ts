import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { mkfifo } from '../../src/base/linux/inode.js';
import { hostPlatform } from '../../src/oci/platform.js';
import { mediaTypes, type Descriptor, type Index, type Manifest } from '../../src/oci/descriptor.js';
import { blobFaults, layoutFaults } from '../support/check-layout.js';
import { readImage } from '../support/image.js';
import { writeLayout } from '../support/layout.js';
import { test } from '../support/registry-workspace.js';
import { makeTar } from '../support/tar.js';
import type { Workspace } from '../support/workspace.js';

const HOST = hostPlatform().architecture;

/** Two layers, two names: `test` and `other/name:v1`. Gives the digest of the manifest. */
async function buildTwice(work: Workspace): Promise<string> {
  work.write({ f: 'x'.repeat(5000), g: 'y'.repeat(300_000) });
  work.dockerfile('FROM scratch\nCOPY f /f\nCOPY g /d/g\nLABEL a=b\nCMD ["/f"]\n');
  return (await work.build(['-t', 'other/name:v1'])).stdout.trim();
}

async function names(work: Workspace, root: string): Promise<readonly string[]> {
  const { stdout } = await work.run(['images', '--root', root, '--format', 'json']);
  const listed = JSON.parse(stdout) as readonly { repository?: string; tag?: string }[];
  return listed.map(({ repository = '<none>', tag = '<none>' }) => `${repository}:${tag}`).sort();
}

function leftovers(root: string): readonly string[] {
  return existsSync(path.join(root, 'tmp')) ? readdirSync(path.join(root, 'tmp'), { recursive: true }).map(String) : [];
}

/** Bytes of one of them; undefined for a folder, and for a file that has gone. */
function sizeOf(work: Workspace, name: string): number | undefined {
  const stats = statSync(path.join(work.root, 'tmp', name), { throwIfNoEntry: false });
  return stats?.isFile() ? stats.size : undefined;
}

/** A layout with an index of two platforms, this machine's and `other`; gives the digest of the index. */
function writeIndexLayout(dir: string, without?: 'other'): string {
  const read = <T>(file: string): T => JSON.parse(readFileSync(path.join(dir, file), 'utf8')) as T;
  const put = (bytes: string): { digest: string; size: number } => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(path.join(dir, 'blobs/sha256', digest), bytes);
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(bytes) };
  };
  const shared = makeTar([{ path: 'shared', content: 'of both' }]);
  const manifests = [HOST, 'riscv64'].map((architecture) => {
    const own = makeTar([{ path: architecture, content: architecture }]);
    writeLayout(dir, { layers: [shared, own] });
    const [made] = read<Index>('index.json').manifests;
    const manifest = read<Manifest>(`blobs/sha256/${made!.digest.slice(7)}`);
    const config = read<object>(`blobs/sha256/${manifest.config.digest.slice(7)}`);
    const changed = put(JSON.stringify({ ...config, architecture }));
    const described = put(JSON.stringify({ ...manifest, config: { ...manifest.config, ...changed } }));
    return { mediaType: mediaTypes.manifest, ...described, platform: { os: 'linux', architecture } };
  });
  if (without) rmSync(path.join(dir, 'blobs/sha256', manifests[1]!.digest.slice(7)));
  const index = put(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
  const annotations = { 'io.containerd.image.name': 'reg.example/multi:1', 'org.opencontainers.image.ref.name': '1' };
  const entry = { mediaType: mediaTypes.index, ...index, annotations };
  writeFileSync(path.join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return index.digest;
}

describe('save and load', () => {
  test('an archive that skopeo reads both ways, and that brings the same images back', async ({ work, bench }) => {
    const digest = await buildTwice(work);
    const archive = work.path('saved.tar');
    await bench.ok(['save', '-o', archive, 'test', 'other/name:v1']);
    for (const source of [`docker-archive:${archive}:other/name:v1`, `oci-archive:${archive}:v1`]) {
      const layout = work.path(`by-skopeo-${source.slice(0, 6)}`);
      await bench.skopeo('copy', source, `oci:${layout}:back`);
      expect(await layoutFaults(layout)).toEqual([]);
      expect(readImage(layout).config.config?.Labels).toEqual({ a: 'b' });
    }
    const again = work.path('again.tar');
    const toStdout = await bench.ok(['save', 'test', 'other/name:v1']);
    expect(toStdout.stdoutBytes.equals(readFileSync(archive))).toBe(true);
    writeFileSync(again, gzipSync(toStdout.stdoutBytes));

    const roots = { file: ['-i', archive], gzip: ['-i', again], stdin: [] };
    for (const [name, args] of Object.entries(roots)) {
      const root = work.path(`root-${name}`);
      const loaded = await bench.ok(['load', ...args, '--root', root], { input: readFileSync(archive) });
      expect(loaded.stdout, name).toBe('Loaded image: test:latest\nLoaded image: other/name:v1\n');
      expect(await names(work, root)).toEqual(['other/name:v1', 'test:latest']);
      expect(readImage(root, 'test:latest').descriptor.digest).toBe(digest);
      expect(await layoutFaults(root)).toEqual([]);
      expect(leftovers(root)).toEqual([]);
    }
    const byDigest = await bench.ok(['save', '-o', archive, digest]);
    expect(byDigest.stdout).toBe('');
    const nameless = await bench.ok(['load', '-i', archive, '--root', work.path('nameless')]);
    expect(nameless.stdout).toBe(`Loaded image ID: ${digest}\n`);
  });

  test('archives and layouts that skopeo and umoci made', async ({ work, bench }) => {
    await buildTwice(work);
    const store = `oci:${work.root}:docker.io/other/name:v1`;
    const [docker, oci, dir, umoci] = ['d.tar', 'o.tar', 'dir', 'umoci'].map((name) => work.path(name)) as [
      string,
      string,
      string,
      string,
    ];
    await bench.skopeo('copy', store, `docker-archive:${docker}:reg.example/app:2`);
    await bench.skopeo('copy', store, `oci-archive:${oci}:reg.example/app:3`);
    await bench.skopeo('copy', store, `oci:${dir}:tag`);
    execFileSync('umoci', ['init', '--layout', umoci]);
    execFileSync('umoci', ['new', '--image', `${umoci}:reg.example/made:1`]);
    const file = path.join(work.context, 'f');
    execFileSync('umoci', ['insert', '--rootless', '--image', `${umoci}:reg.example/made:1`, file, '/inserted']);
    const root = work.path('loaded');
    const load = async (from: string): Promise<string> =>
      (await bench.ok(['load', '-i', from, '--root', root])).stdout.replace(/sha256:[0-9a-f]{64}/, 'DIGEST');
    expect(await load(docker)).toBe('Loaded image: reg.example/app:2\n');
    expect(await load(oci)).toBe('Loaded image: reg.example/app:3\n');
    expect(await load(dir)).toBe('Loaded image ID: DIGEST\n');
    expect(await load(umoci)).toBe('Loaded image: reg.example/made:1\n');
    expect(await layoutFaults(root)).toEqual([]);
    expect(readImage(root, 'reg.example/app:2').layers.map((one) => one.map(({ path }) => path))).toEqual([
      ['f'],
      ['d', 'd/g'],
    ]);
    const made = readImage(root, 'reg.example/made:1');
    expect(made.layers.flat().map(({ path }) => path)).toContain('inserted');
  });

  test('of an index, the images that are there; a name that is none is left out', async ({ work, bench }) => {
    const layout = work.path('layout');
    const digest = writeIndexLayout(layout, 'other');
    const root = work.path('partial');
    expect((await bench.ok(['load', '-i', layout, '--root', root])).stdout).toBe('Loaded image: reg.example/multi:1\n');
    expect(await names(work, root)).toEqual(['reg.example/multi:1']);
    const archive = work.path('partial.tar');
    await bench.ok(['save', '--root', root, '-o', archive, 'reg.example/multi:1']);
    await bench.ok(['load', '--root', work.path('twice'), '-i', archive]);
    expect(await bench.skopeo('inspect', `docker-archive:${archive}`)).toContain(`"Architecture": "${HOST}"`);

    const index = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
    for (const bad of ['../../evil:1', `node@${digest}`, 'UPPER:1']) {
      const entry = { ...index.manifests[0]!, annotations: { 'io.containerd.image.name': bad } };
      writeFileSync(path.join(layout, 'index.json'), JSON.stringify({ ...index, manifests: [entry] }));
      const hostile = work.path(`hostile-${bad.length}`);
      const loaded = await bench.ok(['load', '-i', layout, '--root', hostile]);
      expect(loaded.stdout).toBe(`Loaded image ID: ${digest}\n`);
      expect(loaded.stderr).toContain(`the name "${bad}" of an image is left out`);
      expect(await names(work, hostile)).toEqual(['<none>:<none>']);
    }
  });

  test('a name of an archive that stood for something else is told of', async ({ work, bench }) => {
    work.dockerfile('FROM scratch\nCOPY Dockerfile /\n');
    const { image } = await work.build();
    const before = image.descriptor.digest;
    const archive = work.path('own.tar');
    await bench.ok(['save', '--root', work.root, '-o', archive, 'test']);
    work.dockerfile('FROM scratch\nCOPY Dockerfile /other\n');
    const { digest } = (await work.build()).image.descriptor;
    const load = async (): Promise<string> => (await bench.ok(['load', '--root', work.root, '-i', archive])).stderr;
    expect(await load()).toContain(`\`test:latest\` stood for \`${digest}\` before, which stays`);
    expect(readImage(work.root, 'test:latest').descriptor.digest).toBe(before);
    expect(await load()).toBe('');
  });

  test('what cannot be loaded or saved says so, and changes nothing', async ({ work, bench }) => {
    await buildTwice(work);
    const before = await names(work, work.root);
    writeFileSync(work.path('text'), 'no archive at all '.repeat(100));
    writeFileSync(work.path('empty'), '');
    const whole = (await bench.ok(['save', 'test'])).stdoutBytes;
    writeFileSync(work.path('cut'), whole.subarray(0, whole.length - 200_000));
    writeFileSync(work.path('flipped'), Buffer.from(whole).fill('z', 100_000, 100_001));
    for (const [name, message] of [
      ['missing', 'no such file'],
      ['text', 'invalid tar archive'],
      ['empty', 'no archive of images'],
      ['cut', 'ends too early'],
      ['flipped', 'sha256:'],
    ] as const) {
      const root = work.path('fresh');
      const { code, stderr, stdout } = await bench.run(['load', '-i', work.path(name), '--root', root]);
      expect([name, code, stdout]).toEqual([name, 1, '']);
      expect(stderr).toContain(message);
      expect(await names(work, root)).toEqual([]);
      expect(leftovers(root)).toEqual([]);
    }
    const out = work.path('out.tar');
    expect(await bench.run(['save', '-o', out, 'test', 'nope'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`nope`'),
    });
    expect(existsSync(out)).toBe(false);
    expect(await names(work, work.root)).toEqual(before);
  });

  test('canceled while stdin gives nothing more it ends, and leaves nothing', async ({ work }) => {
    const archive = Buffer.alloc(1 << 20, 'not a tar to its end');
    for (const command of [['load'], ['copy', 'oci-archive:-', 'store:x']]) {
      const waiting = work.start([...command, '--progress', 'plain'], { input: archive, holdInput: true });
      while (!leftovers(work.root).some((name) => sizeOf(work, name) !== undefined)) await sleep(10);
      waiting.kill('SIGTERM');
      expect(await waiting.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('canceled') });
      expect(leftovers(work.root)).toEqual([]);
    }
  });

  test('canceled while nobody takes what goes to stdout it ends', async ({ work }) => {
    work.write({ big: randomBytes(8 << 20) });
    work.dockerfile('FROM scratch\nCOPY big /\n');
    await work.build();
    const saving = work.start(['save', 'test']);
    const stdout = saving.child.stdout!.pause();
    for (let before = 0; before === 0 || before !== stdout.readableLength; await sleep(300))
      before = stdout.readableLength;
    saving.kill('SIGINT');
    expect(await once(saving.child, 'exit')).toEqual([130, null]);
    stdout.resume();
  });

  test('killed in the middle it leaves a temporary file that the next command removes; canceled, none', async ({
    work,
    bench,
  }) => {
    await buildTwice(work);
    const whole = (await bench.ok(['save', 'test'])).stdoutBytes;
    const fifo = work.path('fifo');
    mkfifo(fifo, 0o600);
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      const running = work.start(['load', '-i', fifo], { env: bench.env });
      const end = openSync(fifo, 'r+');
      writeSync(end, whole.subarray(0, 32_768));
      while (!leftovers(work.root).some((name) => (sizeOf(work, name) ?? 0) > 10_000)) {
        await sleep(10);
      }
      running.kill(signal);
      await sleep(50);
      closeSync(end);
      const { code } = await running.ended;
      expect(code).toBe(signal === 'SIGKILL' ? null : 130);
      if (signal === 'SIGINT') expect(leftovers(work.root)).toEqual([]);
      expect(await names(work, work.root)).toEqual(['other/name:v1', 'test:latest']);
      expect(leftovers(work.root)).toEqual([]);
    }
    expect(await layoutFaults(work.root)).toEqual([]);
  });
});

describe('kill -9', () => {
  test(
    'of a copy leaves no part of a blob, and what was there before',
    { timeout: 180_000 },
    async ({ work, bench }) => {
      const digest = await buildTwice(work);
      work.write({ big: Buffer.alloc(80_000_000, 'big') });
      work.dockerfile('FROM scratch\nCOPY big /big\n');
      await work.build();
      const layout = work.path('layout');
      const out = work.path('out');
      mkdirSync(out);
      await bench.ok(['copy', 'store:other/name:v1', `oci:${layout}:small`]);
      for (const destination of [`oci:${layout}:big`, `oci-archive:${out}/big.tar`]) {
        for (const after of [0, 100, 200, 300, 400, 600]) {
          const running = work.start(['copy', 'store:test', destination], { env: bench.env });
          await sleep(after);
          running.kill('SIGKILL');
          await running.ended;
          expect(await blobFaults(layout)).toEqual([]);
          expect(readdirSync(layout).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
          expect(readImage(layout, 'small').descriptor.digest).toBe(digest);
          expect(readdirSync(out).filter((name) => name !== 'big.tar')).toEqual([]);
        }
        await bench.ok(['copy', 'store:test', destination]);
      }
      expect(await layoutFaults(layout)).toEqual([]);
      await bench.ok(['load', '-i', `${out}/big.tar`, '--root', work.path('loaded')]);
    },
  );
});

describe('copy and pull', () => {
  test('an index with all its platforms, from a layout through registries and archives and back', async ({
    work,
    bench,
  }) => {
    const layout = work.path('layout');
    const digest = writeIndexLayout(layout);
    const registry = await bench.start();
    const copy = async (from: string, to: string, ...flags: readonly string[]): Promise<string> =>
      (await bench.ok(['copy', ...flags, from, to])).stdout.trim();
    expect(await copy(`oci:${layout}:1`, `docker://${registry.host}/multi:1`)).toBe(digest);
    const raw = await bench.skopeo('inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/multi:1`);
    expect((JSON.parse(raw) as Index).manifests).toHaveLength(2);

    const stored = readdirSync(path.join(work.root, 'blobs/sha256'));
    await registry.takeRequests();
    expect(await copy(`${registry.host}/multi:1`, `${registry.host}/other/multi:2`)).toBe(digest);
    const uploads = (await registry.takeRequests()).filter(({ method }) => method === 'PATCH');
    expect(uploads).toEqual([]);
    expect(await copy(`${registry.host}/multi:1`, `${registry.host}/other/multi:2`)).toBe(digest);
    const again = await registry.takeRequests();
    expect(again.filter(({ method, path }) => path.includes('/blobs/') || method === 'POST')).toEqual([]);
    expect(readdirSync(path.join(work.root, 'blobs/sha256'))).toEqual(stored);

    const archive = work.path('multi.tar');
    expect(await copy(`${registry.host}/other/multi:2`, `oci-archive:${archive}`)).toBe(digest);
    expect(await copy(`oci-archive:${archive}:2`, 'store:multi:3')).toBe(digest);
    const back = work.path('back');
    expect(await copy('store:multi:3', `oci:${back}:back`)).toBe(digest);
    expect(await copy('store:multi:3', `oci:${back}:one`, '--platform', 'linux/riscv64')).not.toBe(digest);
    expect(await layoutFaults(back)).toEqual([]);
    expect(execFileSync('umoci', ['ls', '--layout', back], { encoding: 'utf8' })).toBe('back\none\n');
    execFileSync('umoci', ['unpack', '--rootless', '--image', `${back}:one`, work.path('unpacked')]);
    expect(readdirSync(path.join(work.path('unpacked'), 'rootfs'))).toEqual(['riscv64', 'shared']);
    const docker = work.path('docker.tar');
    await copy(`${registry.host}/multi:1`, `docker-archive:${docker}:app:1`);
    expect(await bench.skopeo('inspect', `docker-archive:${docker}:app:1`)).toContain(`"Architecture": "${HOST}"`);
    const piped = await bench.ok(['copy', `${registry.host}/multi:1`, 'docker-archive:-:app:1']);
    expect(piped.stdoutBytes.equals(readFileSync(docker))).toBe(true);
  });

  test('pull takes one platform or all, asks nothing twice, and remembers where blobs came from', async ({
    work,
    bench,
  }) => {
    const layout = work.path('layout');
    const digest = writeIndexLayout(layout);
    const registry = await bench.start();
    const name = `${registry.host}/multi:1`;
    const { stderr } = await bench.ok(['copy', `oci:${layout}:1`, name]);
    expect(stderr).toMatch(new RegExp(`copied oci:.* to ${name}\n$`));
    await registry.takeRequests();
    const first = await bench.ok(['pull', name]);
    expect(first.stdout).toBe(`${digest}\n`);
    expect(first.stderr).toContain(`pulled ${name}`);
    const { manifest, config } = readImage(work.root, name);
    expect([config.architecture, manifest.layers.length]).toEqual([HOST, 2]);
    const requests = (await registry.takeRequests()).map(({ method, path }) => `${method} ${path}`);
    expect(new Set(requests).size).toBe(requests.length);
    const again = await bench.ok(['pull', '-q', name]);
    expect([again.stdout, again.stderr]).toEqual([`${digest}\n`, '']);
    expect((await registry.takeRequests()).filter(({ path }) => path.includes('/blobs/'))).toEqual([]);

    // The registry is given by the origin of each layer what it has already.
    await bench.ok(['copy', `store:${name}`, `${registry.host}/copied/app:1`]);
    const pushed = await registry.takeRequests();
    expect(pushed.filter(({ method }) => method === 'PATCH')).toEqual([]);
    expect(pushed.filter(({ path }) => path.includes('mount='))).not.toEqual([]);

    expect((await bench.ok(['pull', '--platform', 'linux/riscv64', `${registry.host}/multi@${digest}`])).stdout).toBe(
      `${digest}\n`,
    );
    expect((await bench.ok(['pull', '--all-platforms', name])).stdout).toBe(`${digest}\n`);
    const inspected = JSON.parse((await work.run(['inspect', name])).stdout) as { descriptor: Descriptor };
    expect(inspected.descriptor.digest).toBe(manifestOf(layout, HOST));
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test('what is not there, and destinations that cannot be written', async ({ work, bench }) => {
    const layout = work.path('layout');
    writeIndexLayout(layout);
    const registry = await bench.start();
    const from = `oci:${layout}`;
    await bench.ok(['copy', from, `${registry.host}/app:1`]);
    writeFileSync(work.path('file'), '');
    for (const [args, code, message] of [
      [['pull', `${registry.host}/app:2`], 1, 'app:2'],
      [['pull', '--platform', 'linux/s390x', `${registry.host}/app:1`], 1, 'linux/s390x'],
      [['pull', '--platform', 'linux/s390x', '--all-platforms', `${registry.host}/app:1`], 2, 'contradict'],
      [['pull', 'No Name'], 1, 'invalid image reference'],
      [['copy', `${from}:none`, 'store:a'], 1, 'has no image `none`'],
      [['copy', from, `oci:${work.path('file')}:a`], 1, 'is a file'],
      [['copy', from, `oci-archive:${work.path('none/there.tar')}`], 1, 'cannot write'],
      [['copy', from, `${registry.host}/app@sha256:${'0'.repeat(64)}`], 2, 'digest'],
      [['copy', from, `store:node@sha256:${'0'.repeat(64)}`], 2, 'digest'],
      [['copy', `oci:${work.path('nowhere')}`, 'store:a'], 1, 'not a whole OCI image layout'],
      [['copy', from, 'oci:'], 2, 'names nothing'],
    ] as const) {
      const ended = await bench.run(args);
      expect([args, ended.code, ended.stdout]).toEqual([args, code, '']);
      expect(ended.stderr).toContain(message);
    }
    expect(await names(work, work.root)).toEqual([]);
    expect(leftovers(work.root)).toEqual([]);
  });
});

function manifestOf(layout: string, architecture: string): string {
  const index = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as Index;
  const child = JSON.parse(
    readFileSync(path.join(layout, 'blobs/sha256', index.manifests[0]!.digest.slice(7)), 'utf8'),
  ) as Index;
  return child.manifests.find((one) => one.platform?.architecture === architecture)!.digest;
}
