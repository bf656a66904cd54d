import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunSpec } from '../types.js';
import { ChrootWorker, DOCKER, processWith } from './start.fixture.js';
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
      '1',
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

  test('sees what is placed for it, and the root is as it was afterwards', async () => {
    const own = worker.makeRoot();
    writeFileSync(path.join(own, 'etc/hosts'), 'own\n', { mode: 0o600 });
    mkdirSync(path.join(own, 'proc'));
    writeFileSync(path.join(own, 'proc/of-the-image'), '');
    for (const name of ['dev', 'sys']) mkdirSync(path.join(own, name));
    writeFileSync(path.join(worker.dir, 'secret'), 's3cret', { mode: 0o400 });
    writeFileSync(path.join(own, 'etc/resolv.conf'), '');
    const before = factsOf(own);
    const mounts = [
      { type: 'bind', source: path.join(worker.dir, 'secret'), target: '/run/secrets/s', readonly: true },
      { type: 'tmpfs', target: '/run/t' },
      { type: 'tmpfs', target: '/tmp' },
    ] as const;
    const script = `ls -A /proc /sys; ls -A /dev | tr '\n' ' '; grep -c . /etc/hosts; tail -n 1 /etc/hosts; cat /run/secrets/s; echo
stat -c '%a %n' /run/t /tmp /dev/shm /dev/null /proc; head -c 3 /dev/zero | wc -c; echo lost > /dev/null; touch /tmp/x /run/t/x /proc/x /dev/x; pwd`;
    const cwd = '/run/t/deep/er';
    const extraHosts = [{ host: 'other', ip: '192.0.2.7' }];
    const answer = await worker.run({ rootfs: own, args: ['sh', '-c', script], cwd, mounts, extraHosts });
    expect(answer.stderr).toBe('');
    expect(answer.stdout.split('\n')).toEqual([
      '/proc:',
      '',
      '/sys:',
      'fd full null random shm stderr stdin stdout tty urandom zero 7',
      '192.0.2.7\tother',
      's3cret',
      '755 /run/t', // as what they cover, here of the working directory
      '755 /tmp',
      '1777 /dev/shm',
      '666 /dev/null',
      '555 /proc',
      '3',
      cwd,
      '',
    ]);
    expect(factsOf(own).filter((fact) => !fact.startsWith('run'))).toEqual(before);
    expect(factsOf(own).flatMap((fact) => (fact.startsWith('run') ? [fact.split(' ')[0]] : []))).toEqual([
      'run',
      'run/t', // of the working directory, which stays as on every rung
      'run/t/deep',
      'run/t/deep/er',
    ]);
  });

  test('is told where its own file is, though it has no /proc', async () => {
    cpSync(path.join(rootfs, 'bin/busybox'), path.join(rootfs, 'tmp/busybox'));
    const links = ['/proc/self/exe', '/proc/self/cwd', '/proc/self/root', '/bin/sh', '/bin/busybox', '/proc/1/exe'];
    const script = links.map((link) => `/tmp/busybox readlink ${link} || echo none`).join('; ');
    for (const uid of [0, 1000]) {
      const answer = await sh(script, { user: { uid, gid: uid, additionalGids: [uid] }, cwd: '/etc' });
      expect(answer.stdout.split('\n')).toEqual(['/tmp/busybox', '/etc', '/', 'busybox', 'none', 'none', '']);
    }
  });

  test.each([
    [{ network: 'none' }, 'a network of its own (`--network=none`) is not possible with `--isolation=chroot`'],
    [{ insecure: true }, 'RUN with every right (`--security=insecure`) is not possible with `--isolation=chroot`'],
    [{ hostname: 'h' }, 'a host name of its own (`h`) is not possible with `--isolation=chroot`'],
  ] as const)('what needs a namespace is refused: %j', async (spec, message) => {
    expect((await sh('true', spec)).error).toEqual({ code: 'ISOLATION_UNAVAILABLE', message });
  });

  test('a file where a directory is needed, and the root as it was', async () => {
    for (const name of ['hosts', 'resolv.conf']) writeFileSync(path.join(rootfs, 'etc', name), '');
    const before = factsOf(rootfs);
    const mounts = [
      { type: 'bind', source: worker.dir, target: '/etc/passwd', readonly: true },
      { type: 'tmpfs', target: '/new' },
    ] as const;
    expect((await sh('true', { mounts })).error).toMatchObject({
      code: 'RUN_FAILED',
      message: 'cannot mount on "/etc/passwd": "/etc/passwd" is not a directory',
    });
    expect((await sh('true', { cwd: '/etc/passwd' })).error).toMatchObject({ code: 'RUN_FAILED' });
    expect(factsOf(rootfs)).toEqual(before);
  });

  test('a limit that the container may not give is told', async () => {
    const answer = await sh('true', { ulimits: [{ name: 'nofile', soft: 2 ** 31, hard: 2 ** 31 }] });
    expect(answer.error).toMatchObject({ code: 'RUNTIME_FAILED', message: expect.stringContaining('setrlimit') });
  });
});

test.skipIf(!isRoot)('without the right to make device nodes it says so, and /dev/null is a file', async () => {
  await using worker = await ChrootWorker.start(DOCKER.replace(',+mknod', ''));
  const answer = await worker.run({
    rootfs: worker.makeRoot(),
    args: ['sh', '-c', 'echo x > /dev/null; ls -l /dev/null'],
  });
  expect(answer.stderr).toMatch(/^slipway: warning: this container does not allow device nodes: /);
  expect(answer.stdout).toMatch(/^-rw-rw-rw-/);
  expect(answer.status).toEqual({ kind: 'exited', code: 0 });
});

/** What a layer could tell of a tree. */
function factsOf(root: string): readonly string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => {
    const { ino, mode, uid, gid, nlink, mtimeNs } = lstatSync(path.join(root, name), { bigint: true });
    return [name, ino, mode, uid, gid, nlink, mtimeNs].join(' ');
  });
}
