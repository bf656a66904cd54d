import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { blobFaults } from '../support/check-layout.js';
import { test } from '../support/registry-workspace.js';
import { Seeded } from '../support/seeded.js';
import { slipwayOk } from '../support/slipway.js';
import { makeTar } from '../support/tar.js';
import type { Workspace } from '../support/workspace.js';

// Neither macOS nor Windows is at hand here: this tells what a program can see of them from what only they have.

const EPOCH = '1445412480';
const PRELOAD = path.join(packageRoot(), 'test/support/other-system.cjs');
const KILLS = 12;
const SEED = 4;

function on(platform: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--require ${PRELOAD}`, SLIPWAY_TEST_PLATFORM: platform, SOURCE_DATE_EPOCH: EPOCH };
}

/** Claims on locks that lie in a directory. */
function claims(dir: string): readonly string[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /^(shared|exclusive)-\d+-/.test(path.basename(name)));
}

function digestIn(layout: string): string {
  const { manifests } = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8'));
  expect(manifests).toHaveLength(1);
  return manifests[0].digest;
}

const reproducible = (dest: string): readonly string[] => [
  '-o',
  `type=oci,tar=false,rewrite-timestamp=true,dest=${dest}`,
];

/** Modes as Windows' files have them for buildx, so that the images are to be the same everywhere. */
function writeContext(work: Workspace): void {
  const member = { path: 'm/f', content: 'in an archive', uid: 3, gid: 4, mode: 0o640 };
  work.write({ f: 'f', 'd/a.txt': 'a', 'd/b.md': 'b', 'd/é/f.txt': 'c'.repeat(10_000), 'ignored/f': 'i' });
  work.write({ 'a.tar.gz': gzipSync(makeTar([member])), '.dockerignore': 'ignored\n' });
  for (const name of readdirSync(work.context, { recursive: true, encoding: 'utf8' })) {
    chmodSync(path.join(work.context, name), 0o755);
  }
}

describe.each(['darwin', 'win32'])('where the system is %s', (platform) => {
  test.for<readonly [string, string]>([
    ['files, links and owners', 'FROM busybox\nCOPY --chown=app . /d/\nCOPY --link f /l\nUSER app\nWORKDIR /w\n'],
    ['files of a base', 'FROM busybox AS b\nCOPY f /\nFROM scratch\nCOPY --from=b /etc /f /bin/busybox /x/\n'],
    ['archives', 'FROM busybox\nADD a.tar.gz /a/\nADD --unpack=false --chmod=700 a.tar.gz /b/\n'],
  ])('a build gives the same image: %s', async ([, dockerfile], { work }) => {
    writeContext(work);
    work.dockerfile(dockerfile);
    chmodSync(work.path('context/Dockerfile'), 0o755);
    await work.build(reproducible(work.path('usual')), { env: { SOURCE_DATE_EPOCH: EPOCH } });
    const root = work.path('other');
    const built = await work.build(reproducible(work.path('out')), { env: on(platform) }, root);
    expect(digestIn(work.path('out'))).toBe(digestIn(work.path('usual')));
    expect(built.hadWorker).toBe(false);
    const again = await work.build(reproducible(work.path('out')), { env: on(platform) }, root);
    expect(again.ran).toEqual([]);
    expect(claims(root)).toEqual([]);
  });

  test('a RUN is refused, with the reason', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN true\n');
    const failed = await work.tryBuild([], { env: on(platform) });
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('this machine does not allow RUN: root: needs Linux');
    expect(failed.stderr).toContain('>>> RUN true');
  });

  test('images are listed, tagged, sent, fetched, written and read', async ({ work, bench }) => {
    const env = on(platform);
    const registry = await bench.start();
    work.write({ f: 'f' });
    work.dockerfile('FROM scratch\nCOPY f /\n');
    const name = `${registry.host}/app:1`;
    const { stdout } = await bench.ok(['build', '-t', name, '--push', work.context], { env });
    expect(registry.tagged('app', '1')?.digest).toBe(stdout.trim());
    const elsewhere = { env: { ...env, SLIPWAY_ROOT: work.path('elsewhere') } };
    const root = ['--root', work.path('elsewhere')];
    await bench.ok(['pull', ...root, name], elsewhere);
    await bench.ok(['tag', ...root, name, 'other'], elsewhere);
    await bench.ok(['push', ...root, name], elsewhere);
    await bench.ok(['save', ...root, '-o', work.path('saved.tar'), 'other'], elsewhere);
    await bench.ok(['copy', ...root, 'store:other', `oci:${work.path('layout')}:x`], elsewhere);
    expect(readdirSync(work.path('layout')).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
    await bench.ok(['rmi', ...root, 'other'], elsewhere);
    await bench.ok(['load', ...root, '-i', work.path('saved.tar')], elsewhere);
    const listed = await bench.ok(['images', ...root], elsewhere);
    expect(listed.stdout).toContain('other');
    const stopped = path.join(work.path('elsewhere'), 'tmp/of-a-job-that-died');
    mkdirSync(stopped);
    await bench.ok(['prune', ...root, '--all', '--force'], elsewhere);
    expect(existsSync(stopped)).toBe(false);
    await bench.ok(['du', ...root], elsewhere);
    await bench.ok(['fsck', ...root], elsewhere);
    await bench.ok(['login', '-u', 'alice', '-p', 'x', registry.host], { env });
    expect(readdirSync(bench.dockerConfig)).toEqual(['config.json']);
  });

  test('a directory is written as output', async ({ work }) => {
    writeContext(work);
    work.dockerfile('FROM busybox\nCOPY d /d\n');
    await work.build(['-o', `type=local,dest=${work.path('out')}`], { env: on(platform) });
    expect(readFileSync(work.path('out/d/é/f.txt'), 'utf8')).toHaveLength(10_000);
    expect(statSync(work.path('out/d')).mtimeMs).toBe(Number(EPOCH) * 1000);
    execFileSync('mkfifo', [work.path('context/d/pipe')]);
    const refused = await work.tryBuild(['-o', `type=local,dest=${work.path('out')}`], { env: on(platform) });
    expect(refused.stderr).toContain('error: the named pipe `d/pipe` cannot be made on this system');
    await work.build(['-o', `type=tar,dest=${work.path('out.tar')}`], { env: on(platform) });
  });
});

test('the store lies where such systems keep data', async ({ work }) => {
  const env = { HOME: work.dir, LOCALAPPDATA: work.path('local'), SLIPWAY_ROOT: '', XDG_DATA_HOME: '' };
  work.write({ f: 'f' });
  work.dockerfile('FROM scratch\nCOPY f /\n');
  for (const [platform, root] of [
    ['darwin', 'Library/Application Support/slipway'],
    ['win32', 'local/slipway'],
  ] as const) {
    await slipwayOk(['build', work.context], { env: { ...on(platform), ...env } });
    expect(existsSync(path.join(work.path(root), 'index.json'))).toBe(true);
  }
});

test('the colon of a drive of Windows ends no path', async ({ work }) => {
  work.write({ f: 'f' });
  work.dockerfile('FROM scratch\nCOPY f /f\n');
  // What a drive is on Windows is a name here.
  const here = { cwd: work.dir, env: on('win32') };
  await work.build(['-o', 'type=oci,tar=false,dest=C:\\layout', '-t', 'app:1'], here);
  work.dockerfile('FROM base\nCOPY f /g\n');
  const built = await work.build(['--build-context', 'base=oci-layout://C:\\layout:1'], here);
  expect([built.text('f'), built.text('g')]).toEqual(['f', 'f']);
  await slipwayOk(['save', '--root', work.root, '-o', 'C:\\saved.tar', 'test'], here);
  await slipwayOk(['copy', '--root', work.root, 'docker-archive:C:\\saved.tar', 'oci-archive:C:\\other.tar:x'], here);
  expect(existsSync(work.path('C:\\other.tar'))).toBe(true);
});

test('files are as buildx sends them from Windows', async ({ work }) => {
  work.write({ f: 'f', 'd/readonly': 'r' });
  chmodSync(work.path('context/f'), 0o666);
  chmodSync(work.path('context/d/readonly'), 0o444);
  work.dockerfile('FROM scratch\nCOPY f d /\n');
  const built = await work.build([], { env: on('win32') });
  expect([built.owner('f'), built.owner('readonly')]).toEqual(['755 0:0', '555 0:0']);
});

describe('one store, without locks of the kernel', () => {
  const dockerfile = (salt: number): string =>
    `FROM busybox AS a\nCOPY . /a\nFROM scratch\nCOPY --from=a /a /bin /x/\nCOPY d /salt-${salt}/\n`;

  test('is shared by builds at the same time, and by one that cleans up', async ({ work }) => {
    writeContext(work);
    const dirs = [0, 1, 2, 3].map((salt) => {
      const dir = work.path(`context-${salt}`);
      mkdirSync(dir);
      work.write({ Dockerfile: dockerfile(salt), f: 'f', 'd/a': 'a', 'd/b': `${salt}` }, dir);
      return dir;
    });
    const root = work.path('other');
    const builds = Promise.all(
      dirs.map((dir, i) => work.build(['-t', `n${i}`], { context: dir, env: on('darwin') }, root)),
    );
    const pruned = await work.run(['prune', '--all', '--force', '--root', root], { env: on('darwin') });
    expect(pruned.code, pruned.output).toBe(0);
    const built = await builds;
    expect(built.map((one, i) => one.text(`salt-${i}/b`))).toEqual(['0', '1', '2', '3']);
    const { manifests } = JSON.parse(readFileSync(path.join(root, 'index.json'), 'utf8'));
    expect(manifests).toHaveLength(5); // each test builds `test` as well
    expect(await blobFaults(root)).toEqual([]);
    expect(claims(root)).toEqual([]);
  });

  test(`is whole, and locked by nobody, after kill -9 at ${KILLS} moments`, { timeout: 120_000 }, async ({ work }) => {
    writeContext(work);
    work.dockerfile(dockerfile(0));
    const usual = ['--no-cache', ...reproducible(work.path('usual'))];
    const started = Date.now();
    await work.build(usual, { env: on('darwin') }, work.path('undisturbed'));
    const took = Date.now() - started;
    const root = work.path('other');
    const random = new Seeded(SEED);
    let killed = 0;
    for (let i = 0; i < KILLS; i++) {
      const running = work.startBuild(['--root', root, '--no-cache'], { env: on('darwin') });
      await sleep(random.next() * took);
      running.kill('SIGKILL');
      if ((await running.ended).signal === 'SIGKILL') killed++;
    }
    expect(killed).toBeGreaterThan(0);
    await work.build(['--no-cache', ...reproducible(work.path('out'))], { env: on('darwin') }, root);
    expect(digestIn(work.path('out'))).toBe(digestIn(work.path('usual')));
    expect(await blobFaults(root)).toEqual([]);
    expect(readdirSync(path.join(root, 'leases'))).toEqual([]);
    expect(readdirSync(path.join(root, 'tmp'))).toEqual([]);
  });
});
