import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { isRoot, test, type Workspace } from '../support/workspace.js';

const DOCKERFILE = `FROM busybox
COPY source /source
RUN cp /source /made
`;

function write(work: Workspace, dockerfile = DOCKERFILE): void {
  work.write({ source: 'source' });
  work.dockerfile(dockerfile);
}

/** Names and contents of all files. */
function snapshot(dir: string): string {
  const hash = createHash('sha256');
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const file of entries.map((entry) => path.join(entry.parentPath, entry.name)).toSorted()) {
    hash.update(`${file}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** A file system of its own on a directory, which is made. */
function mount(dir: string, ...args: readonly string[]): Disposable {
  mkdirSync(dir, { recursive: true });
  execFileSync('mount', [...args, dir]);
  return { [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', dir]) };
}

async function expectWhole(work: Workspace): Promise<void> {
  const { code, output } = await work.run(['fsck']);
  expect(code, output).toBe(0);
  expect(await layoutFaults(work.root)).toEqual([]);
}

describe('a store of a later version', () => {
  test.for([
    ['{"version":2}', 'has format 2, this Slipway knows 1'],
    ['{"vers', 'is damaged'],
    ['null', 'is damaged'],
  ])('is left alone: %s', async ([version, message], { work }) => {
    write(work);
    await work.build();
    writeFileSync(path.join(work.root, 'store.json'), version!);
    const before = snapshot(work.root);
    for (const args of [['images'], ['prune', '-f', '-a'], ['fsck', '--repair'], ['du'], ['rmi', 'test']]) {
      const { code, stderr } = await work.run(args);
      expect([code, stderr]).toEqual([1, expect.stringContaining(message!)]);
    }
    const built = await work.tryBuild();
    expect([built.code, built.stderr]).toEqual([1, expect.stringMatching(/hint: /)]);
    expect(snapshot(work.root)).toBe(before);
  });
});

describe('a store that may only be read', () => {
  test.skipIf(!isRoot)('is read', async ({ work }) => {
    write(work);
    await work.build();
    using _mounted = mount(work.root, '--bind', work.root);
    execFileSync('mount', ['-o', 'remount,ro,bind', work.root]);
    const before = snapshot(work.root);
    const images = await work.run(['images']);
    expect([images.code, images.stdout]).toEqual([0, expect.stringContaining('test')]);
    for (const args of [['inspect', 'test'], ['history', 'test'], ['compare', 'test', 'test'], ['du'], ['fsck']]) {
      const { code, output } = await work.run(args);
      expect(code, output).toBe(0);
    }
    expect((await work.run(['save', 'test', '-o', work.path('saved.tar')])).code).toBe(0);
    expect((await work.run(['copy', 'store:test', `oci:${work.path('copied')}`])).code).toBe(0);
    expect(await layoutFaults(work.path('copied'))).toEqual([]);
    for (const args of [
      ['prune', '-f'],
      ['fsck', '--repair'],
      ['tag', 'test', 'other'],
      ['rmi', 'test'],
    ]) {
      const { code, stderr } = await work.run(args);
      expect([code, stderr]).toEqual([1, expect.stringContaining('the file system is read-only')]);
    }
    const built = await work.tryBuild();
    expect(built.code).toBe(1);
    expect(built.stderr).toMatch(/the file system is read-only while opening the store .*\n.*--root/s);
    expect(snapshot(work.root)).toBe(before);
  });

  test('where there is none yet is told', async ({ work }) => {
    write(work);
    const { code, stderr } = await work.tryBuild(['--root', '/proc/slipway-store']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/the store .* cannot be made.*hint: .*--root/s)]);
  });
});

describe('a store of somebody else', () => {
  test.skipIf(!isRoot)('or a part of it that may not be written', async ({ work }) => {
    write(work);
    await work.build();
    // As an ordinary user who may look at the store and not change it, and then not even that.
    const as = (args: readonly string[]): { readonly code: number; readonly text: string } => {
      const bin = path.resolve(import.meta.dirname, '../../bin/slipway');
      const command = [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        bin,
        ...args,
        '--root',
        work.root,
      ];
      try {
        return { code: 0, text: execFileSync('setpriv', command, { encoding: 'utf8', stdio: 'pipe', cwd: '/' }) };
      } catch (error) {
        const { status, stderr } = error as { readonly status: number; readonly stderr: string };
        return { code: status, text: stderr };
      }
    };
    execFileSync('chmod', ['-R', 'a+rX', work.dir]);
    const before = snapshot(work.root);
    expect(as(['images'])).toEqual({ code: 0, text: expect.stringContaining('test') });
    expect(as(['prune', '-f'])).toEqual({ code: 1, text: expect.stringMatching(/permission denied.*hint: /s) });
    execFileSync('chmod', ['700', work.root]);
    for (const args of [['images'], ['build', work.context]]) {
      expect(as(args)).toEqual({
        code: 1,
        text: expect.stringMatching(/permission denied while opening the store.*hint: /s),
      });
    }
    expect(snapshot(work.root)).toBe(before);
    // What a build as root has left in a store of one's own.
    execFileSync('chown', ['-R', '65534:65534', work.root]);
    execFileSync('chown', ['0:0', path.join(work.root, 'blobs/sha256'), path.join(work.root, 'refs')]);
    work.write({ source: 'other' });
    execFileSync('chmod', ['-R', 'a+rX', work.context]);
    const busybox = work.buildArgs().find((arg) => arg.startsWith('busybox='))!;
    const { code, text } = as(['build', '--build-context', busybox, work.context]);
    expect([code, text]).toEqual([1, expect.stringMatching(/permission denied.*hint: /s)]);
    execFileSync('chown', ['-R', '0:0', work.root]);
    await expectWhole(work);
  });
});

describe('a full disk', () => {
  test.skipIf(!isRoot)('ends a build with a word, and the store is whole', { timeout: 60_000 }, async ({ work }) => {
    write(work);
    using _mounted = mount(work.root, '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs');
    await work.build();
    const images = (await work.run(['images', '--format', 'json'])).stdout;
    const big = (command: string): string => `FROM busybox\nCOPY source /source\nRUN ${command}\nCOPY source /again\n`;
    const failures = [
      big('dd if=/dev/zero of=/big bs=1M count=100'), // in the RUN itself
      big('dd if=/dev/zero of=/big bs=1M count=40'), // its layer
    ];
    for (const dockerfile of failures) {
      work.dockerfile(dockerfile);
      const { code, stderr } = await work.tryBuild(['-t', 'big']);
      expect(code).toBe(1);
      expect(stderr).toMatch(/no space left/i);
      await expectWhole(work);
      expect((await work.run(['images', '--format', 'json'])).stdout).toBe(images);
      expect((await work.run(['prune', '-f'])).code).toBe(0);
    }
    write(work);
    expect((await work.build()).ran).toEqual([]);
    // Full to the last byte: what is there can be read, and room be made.
    for (let i = 0; i < 3; i++) {
      try {
        writeFileSync(path.join(work.root, `tmp/filler-${i}`), Buffer.alloc(2 ** (26 - i * 6)));
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      }
    }
    const built = await work.tryBuild(['--no-cache']);
    expect([built.code, built.stderr]).toEqual([
      1,
      expect.stringMatching(/no space left on the disk.*hint: free some space/s),
    ]);
    for (const args of [['images'], ['fsck'], ['du']]) expect((await work.run(args)).code).toBe(0);
    const pruned = await work.run(['prune', '-f', '-a']);
    expect([pruned.code, pruned.stderr]).toEqual([0, '']);
    await expectWhole(work);
    expect((await work.build()).text('made')).toBe('source');
  });
});

test('a clock that goes back loses nothing', async ({ work }) => {
  write(work);
  await work.build();
  const later = Date.now() / 1000 + 48 * 3600;
  for (const folder of ['records', 'refs', 'blobs', 'locks']) {
    const entries = readdirSync(path.join(work.root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries) utimesSync(path.join(entry.parentPath, entry.name), later, later);
  }
  const refs = readdirSync(path.join(work.root, 'refs'));
  expect((await work.run(['du'])).stdout).toContain('just now');
  await work.run(['prune', '-f', '-a', '--filter', 'until=1h']);
  expect(readdirSync(path.join(work.root, 'refs'))).toEqual(refs);
  expect((await work.build()).ran).toEqual([]);
  const record = readdirSync(path.join(work.root, 'records'), { recursive: true, withFileTypes: true }).find((entry) =>
    entry.name.endsWith('.results'),
  )!;
  expect(statSync(path.join(record.parentPath, record.name)).mtimeMs / 1000).toBeLessThan(later - 3600);
  expect((await work.run(['prune', '-f', '-a'])).code).toBe(0);
  expect(readdirSync(path.join(work.root, 'refs'))).toEqual([]);
  await expectWhole(work);
});
