import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { MARK, mountsBelow, processesLeft } from '../support/processes.js';
import { isRoot, test, type Workspace } from '../support/workspace.js';

/** After whatever failed: the store is sound, nothing is mounted or left, and a build works. */
async function expectIntact(work: Workspace): Promise<void> {
  expect(mountsBelow(work.dir)).toEqual([]);
  work.dockerfile('FROM busybox\nRUN echo fine > /fine\n');
  expect((await work.build()).text('fine')).toBe('fine\n');
  expect(await layoutFaults(work.root)).toEqual([]);
  for (const dir of ['tmp', 'work', 'leases']) expect(readdirSync(`${work.root}/${dir}`), dir).toEqual([]);
}

describe('faults of the input end with 1, the place and a hint', () => {
  test.for<[what: string, dockerfile: string, expected: readonly RegExp[]]>([
    [
      'a missing COPY source',
      'FROM scratch\nCOPY nope /\n',
      [/"\/nope": not found/, />>> COPY nope \//, /Dockerfile:2/],
    ],
    ['an unknown stage', 'FROM busybox AS builder\nFROM scratch\nCOPY --from=biulder /a /\n', [/biulder/]],
    [
      'a stage that copies from itself',
      'FROM scratch AS a\nCOPY --from=a /x /\n',
      [/circular|cycle|itself/i, /Dockerfile:2/],
    ],
    [
      'an unknown instruction',
      'FROM scratch\nCOPPY a b\n',
      [/unknown instruction: COPPY/, /did you mean `?COPY/, />>> COPPY a b/],
    ],
    ['a bad flag', 'FROM scratch\nCOPY --chwon=1 a b\n', [/unknown flag: --chwon/, /did you mean --chown|chown/]],
    ['a base that nobody has', 'FROM nobody-has-this:1\n', [/nobody-has-this:1: not found/, /hint: .*--build-context/]],
    ['an invalid base', 'FROM Upper:1\n', [/invalid|lower ?case/i]],
    ['no stage', '# nothing\n', [/no instructions|empty/i]],
    ['a user that is not there', 'FROM busybox\nUSER nobody-here\nRUN id\n', [/nobody-here/, />>> RUN id/]],
  ])('%s', async ([, dockerfile, expected], { work }) => {
    work.dockerfile(dockerfile);
    const ended = await work.tryBuild();
    for (const pattern of expected) expect(ended.stderr).toMatch(pattern);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).not.toMatch(/this is a bug| {4}at /);
    expect(await work.run(['images', '--format', 'json'])).toMatchObject({ stdout: '[]\n' });
  });

  test('a Dockerfile that is not there, a context that is not there, an unknown target', async ({ work }) => {
    expect(await work.tryBuild()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('failed to read dockerfile'),
    });
    work.dockerfile('FROM scratch AS one\nCOPY Dockerfile /\n');
    const target = await work.tryBuild(['--target', 'ome']);
    expect(target).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/target stage "ome" could not be found[^]*one/),
    });
    const context = await work.run(['build', work.path('nowhere')]);
    expect(context).toMatchObject({ code: 1, stderr: expect.stringContaining('nowhere') });
    expect((await work.tryBuild(['--build-context', `x=${work.path('nowhere')}`])).code).toBe(1);
    expect((await work.tryBuild(['--build-context', `x=oci-layout://${work.path('nowhere')}`])).code).toBe(0);
    work.dockerfile('FROM x\n');
    const layout = await work.tryBuild(['--build-context', `x=oci-layout://${work.path('nowhere')}`]);
    expect(layout).toMatchObject({ code: 1, stderr: expect.stringMatching(/not a whole OCI image layout[^]*hint:/) });
  });
});

test('wrong values of flags end with 2', async ({ work }) => {
  work.dockerfile('FROM scratch\nCOPY Dockerfile /\n');
  for (const args of [
    ['-o', 'type=nope,dest=x'],
    ['-o', 'type=oci'],
    ['-o', 'type=local,dest=x,compresion=gzip'],
    ['--isolation', 'nope'],
    ['--network', 'nope'],
    ['--platform', 'a/b/c/d'],
    ['--build-context', 'nothing'],
  ]) {
    expect(await work.tryBuild(args), args.join(' ')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: /m),
    });
  }
  expect((await work.tryBuild(['-t', 'Upper'])).stderr).toMatch(/invalid image reference `Upper`[^]*hint:/);
  expect((await work.tryBuild(['-o', `type=oci,dest=${work.path('no/folder/x.tar')}`])).code).toBe(1);
  expect((await work.tryBuild([], { env: { SOURCE_DATE_EPOCH: 'today' } })).code).toBe(2);
});

describe('a RUN that fails', () => {
  test('shows its last lines, its exit code and the lines of the Dockerfile; siblings stop', async ({ work }) => {
    const word = `word-${work.dir.slice(-6)}`;
    work.dockerfile(`FROM busybox AS slow
RUN echo ${word}; sleep 100
FROM busybox
RUN for i in $(seq 30); do echo line $i; done; \\
    echo to stderr >&2; exit 42
COPY --from=slow /x /x
`);
    const ended = await work.tryBuild();
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/did not complete successfully: exit code: 42/);
    expect(ended.stderr).toMatch(/------\n > .*RUN for i[^]*line 30\n[^]*------/);
    expect(ended.stderr).toMatch(/4 \| >>> RUN for i in[^\n]*\n +5 \| >>>     echo to stderr/);
    expect(await processesLeft('nobody', word)).toEqual([]);
    await expectIntact(work);
  });

  test('by a missing program, and by a signal', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN ["/no/such/program"]\n');
    expect(await work.tryBuild()).toMatchObject({ code: 1, stderr: expect.stringContaining('/no/such/program') });
    work.dockerfile("FROM busybox\nRUN sh -c 'kill -9 $$'; exit $?\n");
    expect(await work.tryBuild()).toMatchObject({ code: 1, stderr: expect.stringMatching(/exit code: 137|SIGKILL/) });
    await expectIntact(work);
  });
});

describe('Ctrl-C', () => {
  test.for(['SIGINT', 'SIGTERM'] as const)(
    '%s during a RUN ends with 130 and leaves nothing',
    async (signal, { work }) => {
      const word = `word-${work.dir.slice(-6)}`;
      work.dockerfile(
        `FROM busybox\nRUN touch /before\nRUN trap '' INT TERM; echo running ${word}; sleep 100 & wait; sleep 100\n`,
      );
      const running = work.startBuild([], { env: { [MARK]: word } });
      await running.saying(/^#\d+ [\d.]+ running/m);
      running.kill(signal);
      const ended = await running.ended;
      expect(ended).toMatchObject({ code: 130, stdout: '' });
      expect(ended.stderr).toMatch(/^canceled$/m);
      expect(ended.stderr).not.toMatch(/error:|bug/);
      expect(await processesLeft(word, word)).toEqual([]);
      await expectIntact(work);
    },
  );

  test('as a terminal sends it, to every process of the group', async ({ work }) => {
    const word = `word-${work.dir.slice(-6)}`;
    work.dockerfile(`FROM busybox\nRUN echo running ${word}; sleep 100\n`);
    const running = work.startBuild([], { env: { [MARK]: word }, group: true });
    await running.saying(/^#\d+ [\d.]+ running/m);
    process.kill(-running.pid, 'SIGINT');
    expect(await running.ended).toMatchObject({ code: 130, stderr: expect.stringMatching(/^canceled$/m) });
    expect(await processesLeft(word, word)).toEqual([]);
    await expectIntact(work);
  });

  test('at any moment, also before the first step and while exporting', async ({ work }) => {
    work.write({ big: Buffer.alloc(8_000_000, 'x') });
    const output = ['-o', `type=oci,dest=${work.path('out.tar')}`];
    for (const wait of [60, 120, 200, 300, 450]) {
      work.dockerfile(`FROM busybox\nCOPY big /big${wait}\nRUN cp /big${wait} /copy\n`);
      const running = work.startBuild(output);
      await sleep(wait);
      running.kill('SIGINT');
      const { code, signal, stderr } = await running.ended;
      // Before Node.js is up, the signal itself ends it.
      expect([130, 0, null], stderr).toContain(code);
      if (code === null) expect(signal).toBe('SIGINT');
      if (code !== 0) expect(existsSync(work.path('out.tar'))).toBe(false);
    }
    expect(readdirSync(work.dir).filter((name) => name.includes('tmp'))).toEqual([]);
    await expectIntact(work);
  });
});

describe('a disk that does not do its part', () => {
  test.skipIf(!isRoot)(
    'full: says so, and works again when there is room (needs root to mount a small tmpfs)',
    async ({ work }) => {
      mkdirSync(work.root);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', work.root]);
      try {
        work.write({ big: Buffer.alloc(40_000_000) });
        const cases = {
          COPY: 'FROM busybox\nCOPY big /big\n',
          'COPY onto a tree': 'FROM busybox\nRUN true\nCOPY big /big\nRUN true\n',
          packing: 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=14\n',
        };
        for (const [what, dockerfile] of Object.entries(cases)) {
          work.dockerfile(dockerfile);
          const ended = await work.tryBuild();
          expect(ended.stderr, what).toMatch(/no space left on the disk[^]*hint: free some space/);
          expect(ended, what).toMatchObject({ code: 1, stdout: '' });
          expect(ended.stderr, what).not.toContain('bug');
        }
        work.dockerfile('FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=40\n');
        expect(await work.tryBuild()).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('No space left on device'),
        });
        execFileSync('mount', ['-o', 'remount,size=100m', work.root]);
        work.dockerfile('FROM busybox\nRUN echo fine > /fine\n');
        expect((await work.build()).text('fine')).toBe('fine\n');
        expect(await layoutFaults(work.root)).toEqual([]);
      } finally {
        execFileSync('umount', [work.root]);
      }
    },
  );

  test.skipIf(!isRoot)('full where the output goes (needs root to mount a small tmpfs)', async ({ work }) => {
    mkdirSync(work.path('out'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', work.path('out')]);
    try {
      work.write({ big: Buffer.alloc(4_000_000) });
      work.dockerfile('FROM scratch\nCOPY big /\n');
      for (const output of [
        `type=oci,compression=uncompressed,dest=${work.path('out/a')}`,
        `type=tar,dest=${work.path('out/b')}`,
        work.path('out/c'),
      ]) {
        const ended = await work.tryBuild(['-o', output]);
        expect(ended, output).toMatchObject({ code: 1, stderr: expect.stringContaining('no space left on the disk') });
        execFileSync('rm', ['-rf', work.path('out/c')]);
        expect(readdirSync(work.path('out')), output).toEqual([]);
      }
    } finally {
      execFileSync('umount', [work.path('out')]);
    }
  });

  test.skipIf(isRoot)('not writable: says so (root may write everywhere)', async ({ work }) => {
    work.dockerfile('FROM scratch\nCOPY Dockerfile /\n');
    mkdirSync(work.root, { mode: 0o555 });
    const ended = await work.tryBuild();
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/permission denied[^]*hint: .*--root/) });
    chmodSync(work.root, 0o755);
    await work.build();
    chmodSync(`${work.root}/blobs/sha256`, 0o555);
    work.write({ new: 'new' });
    work.dockerfile('FROM scratch\nCOPY new /\n');
    expect(await work.tryBuild()).toMatchObject({ code: 1, stderr: expect.stringContaining('permission denied') });
    chmodSync(`${work.root}/blobs/sha256`, 0o755);
    await expectIntact(work);
  });

  test.skipIf(!isRoot)('read-only: says so (needs root to mount it so)', async ({ work }) => {
    work.dockerfile('FROM scratch\nCOPY Dockerfile /\n');
    await work.build();
    execFileSync('mount', ['--bind', work.root, work.root]);
    execFileSync('mount', ['-o', 'remount,bind,ro', work.root]);
    try {
      const ended = await work.tryBuild();
      expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/read-only[^]*hint: /) });
    } finally {
      execFileSync('umount', [work.root]);
    }
    await expectIntact(work);
  });

  test('a store of the future, and one that is damaged', async ({ work }) => {
    work.dockerfile('FROM scratch\nCOPY Dockerfile /\n');
    await work.build();
    writeFileSync(`${work.root}/store.json`, '{"version":99}');
    expect(await work.tryBuild()).toMatchObject({ code: 1, stderr: expect.stringMatching(/format 99[^]*hint: /) });
    writeFileSync(`${work.root}/store.json`, '{"version":1}');
    const index = `${work.root}/index.json`;
    writeFileSync(index, '{');
    expect(await work.run(['images'])).toMatchObject({ code: 1, stderr: expect.stringContaining('index.json') });
  });
});
