import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunSpec } from '../types.js';
import { ChrootWorker, processWith } from './start.fixture.js';
import type { FixtureAnswer } from './worker.fixture.js';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a process in a plain directory (needs root)', () => {
  let worker: ChrootWorker;
  let rootfs: string;
  beforeAll(async () => {
    worker = await ChrootWorker.start();
    rootfs = worker.makeRoot();
  });
  afterAll(async () => await worker[Symbol.asyncDispose]());
  const sh = async (script: string, spec: Partial<RunSpec> = {}): Promise<FixtureAnswer> =>
    await worker.run({ rootfs, args: ['sh', '-c', script], ...spec });

  test('gives its output and its exit code', async () => {
    expect(await sh('echo out; echo err >&2; pwd; exit 7')).toEqual({
      status: { kind: 'exited', code: 7 },
      stdout: 'out\n/\n',
      stderr: 'err\n',
    });
    expect((await sh('kill -TERM $$')).status).toEqual({ kind: 'exited', code: 143 });
  });

  test('has the environment, directory, user, groups and umask that are asked for', async () => {
    const answer = await sh('env | sort; pwd; id; umask', {
      env: ['PATH=/bin', 'A=ü x'],
      cwd: '/made/here',
      user: { uid: 1000, gid: 1000, additionalGids: [1000, 50] },
    });
    expect(answer.stdout).toBe(
      'A=ü x\nPATH=/bin\nPWD=/made/here\nSHLVL=1\n/made/here\nuid=1000(app) gid=1000(app) groups=50,1000(app)\n0022\n',
    );
  });

  test.each([
    ['nope', 'executable file `nope` not found in $PATH: No such file or directory\n'],
    ['/nope', 'executable file `/nope` not found in $PATH: No such file or directory\n'],
    ['/bin/sh/x', 'executable file `/bin/sh/x` not found in $PATH: No such file or directory\n'],
    ['', 'executable file `` not found in $PATH: No such file or directory\n'],
    ['/tmp', 'open executable `/tmp`: Permission denied\n'],
    ['/etc/passwd', 'open executable `/etc/passwd`: Permission denied\n'],
    ['./script', 'exec container process `./script`: Exec format error\n'],
  ])('a command that cannot be executed: %j', async (command, stderr) => {
    writeFileSync(path.join(rootfs, 'script'), 'echo no interpreter\n', { mode: 0o755 });
    expect(await worker.run({ rootfs, args: [command] })).toMatchObject({
      status: { kind: 'exited', code: 1 },
      stderr,
    });
  });

  test('has what an ordinary container gives but the right to change its root, and nothing of its builder', async () => {
    const mark = `47${Date.now()}`;
    worker.send(
      { rootfs, args: ['sleep', mark], ulimits: [{ name: 'nofile', soft: 100, hard: 200 }] },
      { abortAfterMs: 1e6 },
    );
    const pid = await processWith(worker.pid, mark);
    const ended = worker.answer();
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)![1]!;
    // Docker's set is a80425fb; bit 18 is CAP_SYS_CHROOT, bit 27 CAP_MKNOD, which stays where no disk can be opened
    const mask = BigInt(`0x${field('CapBnd')}`);
    expect((mask | (1n << 27n)).toString(16)).toBe('a80025fb');
    expect([field('CapEff'), field('CapPrm'), field('CapInh')]).toEqual([
      field('CapBnd'),
      field('CapBnd'),
      '0000000000000000',
    ]);
    expect([field('NoNewPrivs'), field('SigIgn'), field('SigBlk')]).toEqual([
      '0',
      '0000000000000000',
      '0000000000000000',
    ]);
    expect(readdirSync(`/proc/${pid}/fd`)).toEqual(['0', '1', '2']);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('PATH=/bin\0');
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max open files +100 +200 /);
    expect(readlinkSync(`/proc/${pid}/root`)).toBe(rootfs);
    process.kill(pid, 'SIGKILL');
    expect((await ended).status).toEqual({ kind: 'exited', code: 137 });
  });
});
