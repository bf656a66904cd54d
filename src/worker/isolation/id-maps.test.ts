import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { descendants } from '../../executor/descendants.js';
import { findProgram } from '../../executor/runtime.js';
import { bundleFixtures, isAlive, launch, makeDir, makeUser, type Fixtures, type TestUser } from './start.fixture.js';

const tools = ['useradd', 'newuidmap', 'unshare', 'setpriv', 'crun'];
const ready = process.getuid?.() === 0 && tools.every((name) => findProgram(name, process.env) !== undefined);

describe.skipIf(!ready)('subordinate ids (needs root, useradd, newuidmap and crun)', () => {
  let files: Fixtures;
  let user: TestUser;
  let place: { readonly dir: string; remove(): void };
  beforeAll(async () => {
    files = await bundleFixtures();
    user = makeUser();
    place = makeDir(user);
  });
  afterAll(() => {
    place.remove();
    user.remove();
    files.remove();
  });

  /** An environment in which a program is another one. */
  function withProgram(name: string, make: (file: string, real: string) => void): NodeJS.ProcessEnv {
    const bin = path.join(place.dir, `bin-${Math.random()}`);
    mkdirSync(bin);
    make(path.join(bin, name), findProgram(name, process.env)!);
    return { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  }
  const script = (text: string) => (file: string, real: string) =>
    writeFileSync(file, `#!/bin/sh\n${text.replaceAll('REAL', real)}\n`, { mode: 0o755 });

  /** What the launcher says when it cannot start a worker. */
  function fails(env: NodeJS.ProcessEnv, ...before: readonly string[]): string {
    const as = ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', ...before, '--'];
    const [program = '', ...args] = [...as, process.execPath, files.launcher, files.worker, place.dir, 'userns'];
    const options = { env, cwd: '/', encoding: 'utf8', stdio: 'pipe' } as const;
    let said = '';
    expect(() => {
      try {
        execFileSync(program, args, options);
      } catch (error) {
        said = (error as { stderr: string }).stderr;
        throw error;
      }
    }).toThrow();
    return said;
  }

  test('are mapped as `unshare --map-auto` does, also where it has no such option', async () => {
    const env = withProgram(
      'unshare',
      script(`case "$*" in *--map-auto*) echo "unrecognized option '--map-auto'" >&2; exit 1;; *--help*) REAL --help | grep -v -e --map-auto; exit;; esac
exec REAL "$@"`),
    );
    const worker = await launch(files, place.dir, user, { env });
    expect(worker.rung).toBe('userns');
    const { output } = await worker.ask({ op: 'maps' });
    await worker.close();
    const as = ['--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--clear-groups', 'unshare'];
    const cat = ['cat', '/proc/self/uid_map', '/proc/self/gid_map', '/proc/self/setgroups'];
    const expected = execFileSync('setpriv', [...as, '--user', '--map-root-user', '--map-auto', ...cat], {
      encoding: 'utf8',
    });
    expect(output).toBe(expected);
    expect(output).toMatch(/^\s+0\s+\d+\s+1\n\s+1\s+\d+\s+65535\n/);
  });

  test('that cannot be mapped are an error with the remedy', () => {
    expect(fails(process.env, '--no-new-privs')).toMatch(/newuidmap: .*no-new-privileges/s);
    expect(fails(process.env, '--bounding-set', '-setuid')).toMatch(/newuidmap: .*SETUID and SETGID/s);
    const plain = withProgram('newgidmap', (file, real) => {
      copyFileSync(real, file);
      chmodSync(file, 0o755);
    });
    expect(fails(plain)).toMatch(/newgidmap: .*chmod u\+s \/\S+\/newgidmap/s);
    const refusing = script('echo "newuidmap: uid range [1-65536) -> [100000-165535) not allowed" >&2; exit 1');
    expect(fails(withProgram('newuidmap', refusing))).toMatch(/not allowed.*usermod --add-subuids/s);
  });

  test.each(['newuidmap', 'newgidmap'])('the parent dies during %s: no process is left', async (name) => {
    const here = path.join(place.dir, `during-${name}`);
    // The probe's one works; the worker's one waits, as the second process to come here.
    const env = withProgram(
      name,
      script(`if mkdir ${here} 2>/dev/null; then exec REAL "$@"; fi\necho $$ > ${here}/waiting; exec sleep 1000`),
    );
    const launcher = spawn(process.execPath, [files.launcher, files.worker, place.dir], {
      uid: user.uid,
      gid: user.gid,
      cwd: '/',
      env,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let waiting = 0;
    while (launcher.exitCode === null && !waiting) {
      await sleep(10);
      try {
        waiting = Number(readFileSync(`${here}/waiting`, 'utf8'));
      } catch {
        continue; // not there yet
      }
    }
    const pids = descendants(launcher.pid!).filter((pid) => pid !== waiting);
    expect(pids.length).toBeGreaterThanOrEqual(1);
    const ended = once(launcher, 'exit');
    launcher.kill('SIGKILL');
    await ended;
    for (let wait = 0; wait < 500 && pids.some(isAlive); wait++) await sleep(10);
    process.kill(waiting, 'SIGKILL');
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
