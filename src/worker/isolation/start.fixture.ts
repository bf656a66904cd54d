import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { hasCode } from '../../base/errors.js';
import type { Outcome, Task } from './worker.fixture.js';

export interface TestUser {
  readonly uid: number;
  readonly gid: number;
  remove(): void;
}

/** A user with subordinate ids; needs root and useradd. */
export function makeUser(): TestUser {
  const name = `slipway-unit-${process.pid}-${randomBytes(2).toString('hex')}`; // tests may share a process
  execFileSync('useradd', ['--no-create-home', '--shell', '/bin/sh', name], { stdio: 'ignore' });
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return {
    uid: id('-u'),
    gid: id('-g'),
    remove: () => void execFileSync('userdel', [name], { stdio: 'ignore' }),
  };
}

export interface Fixtures {
  readonly launcher: string;
  readonly worker: string;
  readonly stoppedProbe: string;
  remove(): void;
}

const HERE = fileURLToPath(new URL('.', import.meta.url));
const NODE_MODULES = path.join(HERE, '../../../node_modules');

/** Bundles the fixtures to where every user may read them. */
export async function bundleFixtures(): Promise<Fixtures> {
  const outdir = mkdtempSync(path.join(tmpdir(), 'slipway-fixtures-'));
  chmodSync(outdir, 0o755);
  await build({
    entryPoints: ['launcher', 'worker', 'stopped-probe'].map((name) => path.join(HERE, `${name}.fixture.ts`)),
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outExtension: { '.js': '.mjs' },
    outdir,
    logLevel: 'error',
  });
  // koffi is not bundled, and the checkout may lie where other users cannot read, below /root for instance.
  for (const name of ['koffi', '@koromix']) {
    cpSync(path.join(NODE_MODULES, name), path.join(outdir, 'node_modules', name), { recursive: true });
  }
  return {
    launcher: `${outdir}/launcher.fixture.mjs`,
    worker: `${outdir}/worker.fixture.mjs`,
    stoppedProbe: `${outdir}/stopped-probe.fixture.mjs`,
    remove: () => rmSync(outdir, { recursive: true, force: true }),
  };
}

export interface Launched {
  readonly launcher: ChildProcess;
  readonly rung: string;
  /** Of what stands at the top of the worker's processes. */
  readonly pid: number;
  ask(task: Task): Promise<Outcome>;
  close(): Promise<void>;
}

export async function launch(
  files: Pick<Fixtures, 'launcher' | 'worker'>,
  dir: string,
  user?: TestUser,
  { env = process.env, rung: wanted }: { readonly env?: NodeJS.ProcessEnv; readonly rung?: string } = {},
): Promise<Launched> {
  const identity = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  const launcher = fork(files.launcher, [files.worker, dir, ...(wanted === undefined ? [] : [wanted])], {
    ...identity,
    execArgv: [],
    cwd: '/',
    env,
  });
  const failed = once(launcher, 'exit').then(([code]) => Promise.reject(new Error(`the launcher ended with ${code}`)));
  failed.catch(() => undefined);
  const next = async (): Promise<unknown> =>
    ((await Promise.race([once(launcher, 'message'), failed])) as unknown[])[0];
  const { rung, pid } = (await next()) as { rung: string; pid: number };
  return {
    launcher,
    rung,
    pid,
    ask: async (task) => {
      launcher.send(task);
      return (await next()) as Outcome;
    },
    close: async () => {
      const ended = once(launcher, 'exit');
      launcher.disconnect();
      await ended;
    },
  };
}

/** A directory that the user may write, and what removes it. */
export function makeDir(user?: TestUser): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(path.join(tmpdir(), 'slipway-rung-'));
  if (user) execFileSync('chown', [`${user.uid}:${user.gid}`, dir]);
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false; // gone before it was opened, or while it was read
    throw error;
  }
}
