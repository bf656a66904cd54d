import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { descendants } from '../../executor/descendants.js';
import { findProgram } from '../../executor/runtime.js';
import type { RunSpec } from '../../executor/types.js';
import {
  bundleFixtures,
  isAlive,
  launch,
  makeDir,
  makeUser,
  type Fixtures,
  type Launched,
  type TestUser,
} from './start.fixture.js';
import { findPrograms } from './programs.js';
import type { Outcome } from './worker.fixture.js';

const root = process.getuid?.() === 0;
const tools = ['busybox', ...(root ? ['useradd', 'newuidmap'] : [])];
const runtimes = (['crun', 'runc'] as const).filter((name) => findProgram(name, process.env) !== undefined);
const installed = tools.every((name) => findProgram(name, process.env) !== undefined) && runtimes.length > 0;
// Root tries all, the others as a user made for it; an ordinary user tries what is left.
const rungs = (['root', 'userns', 'userns-single'] as const).filter((rung) => root || rung !== 'root');
const ready = installed && (root || !('reason' in findPrograms('userns', process.env)));
const needs = '(needs busybox, crun or runc, and root or subordinate ids)';

let files: Fixtures;
let user: TestUser | undefined;
beforeAll(async () => {
  if (!ready) return;
  files = await bundleFixtures();
  if (root) user = makeUser();
});
afterAll(() => {
  if (!ready) return;
  user?.remove();
  files.remove();
});

test.skipIf(!ready)(`a trial that is stopped leaves nothing, and says only that it was stopped ${needs}`, () => {
  const place = makeDir(user);
  try {
    const { uid, gid } = user ?? { uid: undefined, gid: undefined };
    const output = execFileSync(process.execPath, [files.stoppedProbe, place.dir], {
      uid,
      gid,
      cwd: '/',
      encoding: 'utf8',
    });
    expect(Number(output)).toBeGreaterThan(1);
    expect(readdirSync(place.dir)).toEqual([]);
  } finally {
    place.remove();
  }
});

const cases = rungs.flatMap((rung) => runtimes.map((runtime) => ({ rung, runtime })));

describe.skipIf(!ready).each(cases)(`$rung with $runtime ${needs}`, (one) => {
  let place: { readonly dir: string; remove(): void };
  let worker: Launched;
  let count = 0;
  const oneId = one.rung === 'userns-single';

  beforeAll(async () => {
    process.env['SLIPWAY_TEST_RUNTIME'] = one.runtime;
    const as = one.rung === 'root' ? undefined : user;
    place = makeDir(as);
    worker = await launch(files, place.dir, as, { rung: one.rung });
    expect(await worker.ask({ op: 'base', dir: place.dir })).toMatchObject({ output: '' });
  });
  afterAll(async () => {
    delete process.env['SLIPWAY_TEST_RUNTIME'];
    await worker?.close();
    place?.remove();
  });

  const run = async (script: string, spec: Partial<RunSpec> = {}, abortAfterMs?: number): Promise<Outcome> => {
    const outcome = await worker.ask({
      op: 'run',
      dir: place.dir,
      lowers: ['base'],
      upper: `upper${count++}`,
      spec: { args: ['/bin/sh', '-c', script], ...spec },
      ...(abortAfterMs === undefined ? {} : { abortAfterMs }),
    });
    expect(outcome.error).toBeUndefined();
    return outcome;
  };

  test('stands on the rung that was asked for', () => {
    expect(worker.rung).toBe(one.rung);
  });

  test('a RUN that changes nothing leaves nothing, mount points included', async () => {
    expect(await run('exit 0', { mounts: [{ type: 'tmpfs', target: '/a/b' }] })).toMatchObject({
      exit: 'exit 0',
      output: '',
      changes: [],
    });
  });

  test('the process sees what BuildKit shows it', async () => {
    const { output } = await run(
      'hostname; echo $$; grep -E "Cap(Eff|Bnd|Amb)|NoNewPrivs" /proc/self/status; ls -C -w 200 /dev; ' +
        'cat <&0 | wc -c; cat /etc/hosts | head -1; df -k /dev/shm | tail -1; pwd; id -G',
      {
        user: { uid: 0, gid: 0, additionalGids: [0, 10] },
        mounts: [{ type: 'tmpfs', target: '/dev/shm', size: 1024 * 1024 }],
      },
    );
    const lines = output.split('\n').map((line) => line.replaceAll(/\s+/g, ' '));
    expect(lines).toEqual([
      'buildkitsandbox',
      '1',
      'CapEff: 00000000a80425fb',
      'CapBnd: 00000000a80425fb',
      'CapAmb: 0000000000000000',
      'NoNewPrivs: 0',
      expect.stringMatching(/^(core )?fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ?$/),
      '0',
      '127.0.0.1 localhost buildkitsandbox',
      expect.stringMatching(/ 1024 .*\/dev\/shm$/),
      '/',
      oneId ? '0' : '0 10',
      '',
    ]);
  });

  test('it cannot write to the kernel, nor mount, nor make namespaces, nor read the keyring', async () => {
    const { output } = await run(
      '(echo 1 >/proc/sys/kernel/panic) 2>/dev/null && echo sysctl; touch /sys/x 2>/dev/null && echo sys; ' +
        'mount -t tmpfs none /tmp 2>/dev/null && echo mount; unshare -U true 2>/dev/null && echo unshare; ' +
        'echo x 2>/dev/null >/etc/hosts && echo hosts; echo 1 > /dev/null && echo null',
    );
    expect(output.trim().split('\n').at(-1)).toBe('null');
    expect(output).not.toMatch(/sysctl|^sys$|^mount$|^unshare$|^hosts$/m);
  });

  test('a device node that it makes cannot be opened', async () => {
    const { output, changes } = await run(
      'mknod /n c 1 3 2>/dev/null; mknod /dev/n c 1 3 2>/dev/null; ' +
        '(echo x >/n) 2>/dev/null && [ -c /n ] && echo open; (echo x >/dev/n) 2>/dev/null && [ -c /dev/n ] && echo open2; ' +
        'echo end',
    );
    expect(output).toBe('end\n');
    if (one.rung === 'root') expect(changes).toEqual(['char 644 0:0 n']);
  });

  test('exit codes, missing and unexecutable commands', async () => {
    expect((await run('exit 3')).exit).toBe('exit 3');
    expect((await run("sh -c 'kill -9 $$'; exit $?")).exit).toBe('exit 137');
    const missing = await run('', { args: ['/nope'] });
    expect(missing).toMatchObject({ exit: 'exit 1', output: expect.stringContaining('/nope') });
    expect((await run('', { args: ['/etc/passwd'] })).exit).toBe('exit 1');
  });

  test('user, cwd, environment, limits, no network', async () => {
    const { output, changes } = await run('id; pwd; echo $A; ulimit -n; ls /sys/class/net; touch /tmp/f', {
      user: oneId ? { uid: 0, gid: 0, additionalGids: [0] } : { uid: 1000, gid: 1000, additionalGids: [1000, 2001] },
      cwd: '/new/dir',
      env: ['PATH=/bin', 'A=b c'],
      ulimits: [{ name: 'nofile', soft: 512, hard: 512 }],
      network: 'none',
    });
    const id = oneId ? 'uid=0(root) gid=0(root)' : 'uid=1000(app) gid=1000(app) groups=1000(app),2001';
    expect(output).toBe(`${id}\n/new/dir\nb c\n512\nlo\n`);
    const file = `file 644 ${oneId ? '0:0' : '1000:1000'} tmp/f`;
    expect(changes).toEqual(['dir 755 0:0 new', 'dir 755 0:0 new/dir', 'dir 1777 0:0 tmp', file]);
  });

  test('bound files and directories, read-only and not', async () => {
    const { output, changes } = await run(
      'cat /m/passwd /f; (touch /m/x; echo y >/f) 2>&1; stat -c %a /t /etc; ls /m | wc -l',
      {
        mounts: [
          { type: 'bind', source: `${place.dir}/base/etc`, target: '/m', readonly: true },
          { type: 'bind', source: `${place.dir}/base/etc/group`, target: '/f', readonly: true },
          { type: 'tmpfs', target: '/t', size: 65536 },
          { type: 'tmpfs', target: '/etc' },
        ],
      },
    );
    expect(output).toContain('app:x:1000:1000');
    expect(output).toContain('app:x:1000:\n');
    expect(output.match(/Read-only file system/g)).toHaveLength(2);
    expect(output).toMatch(/1777\n755\n2\n$/);
    expect(changes).toEqual([]);
  });

  test('what is still running at the end, or when it is aborted, is killed', async () => {
    const left = await run('sleep 1111 & echo started');
    expect(left).toMatchObject({ exit: 'exit 0', output: 'started\n' });
    const aborted = await run('trap "" TERM INT; setsid sleep 1111 & sleep 1111', {}, 300);
    expect(aborted.exit).toBe('thrown stopped');
    expect(aborted.ms).toBeLessThan(3000);
    const below = descendants(worker.pid).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
    expect(below.filter((line) => line.includes('sleep'))).toEqual([]);
    for (const ms of [0, 3, 6, 9, 12, 20]) expect((await run('sleep 1111', {}, ms)).exit).toBe('thrown stopped');
  });

  test('a small process is quick', async () => {
    const { ms, error } = await worker.ask({ op: 'bench', dir: place.dir, lowers: ['base'], times: 10 });
    expect(error).toBeUndefined();
    expect(ms).toBeLessThan(500);
    if (process.env['SLIPWAY_TEST_FIGURES']) process.stderr.write(`${one.rung} ${one.runtime}: ${ms.toFixed(1)} ms\n`);
  });
});

describe.skipIf(!ready).each(rungs)(`%s: kill -9 ${needs}`, (rung) => {
  test('of the parent leaves no process and no mount, 20 times', async () => {
    const as = rung === 'root' ? undefined : user;
    const place = makeDir(as);
    try {
      for (let i = 0; i < 20; i++) {
        const worker = await launch(files, place.dir, as, { rung });
        expect(worker.rung).toBe(rung);
        const litter = await worker.ask({ op: 'litter', dir: place.dir });
        expect(litter.error).toBeUndefined();
        const pids = [worker.pid, ...descendants(worker.pid)];
        expect(pids.length).toBeGreaterThanOrEqual(3);
        worker.launcher.kill('SIGKILL');
        for (let wait = 0; wait < 200 && pids.some(isAlive); wait++) await sleep(10);
        expect(pids.filter(isAlive)).toEqual([]);
        expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(place.dir);
      }
    } finally {
      place.remove();
    }
  });
});
