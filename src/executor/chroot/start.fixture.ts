import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { hasCode } from '../../base/errors.js';
import { descendants } from '../descendants.js';
import { findProgram } from '../runtime.js';
import type { RunSpec } from '../types.js';
import type { FixtureAnswer, FixtureTask } from './worker.fixture.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const NODE_MODULES = path.join(HERE, '../../../node_modules');

/** What Docker gives to a container: no CAP_SYS_ADMIN above all. */
export const DOCKER =
  '-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap';

/** A worker of this rung with the capabilities of an ordinary container, and a directory that stands for the store. */
export class ChrootWorker {
  readonly dir: string;
  readonly #bundles: string;
  #child: ChildProcess | undefined;
  #roots = 0;
  #store: string;

  private constructor(dir: string, bundles: string) {
    this.dir = dir;
    this.#store = dir;
    this.#bundles = bundles;
  }

  static async start(capabilities = DOCKER): Promise<ChrootWorker> {
    const bundles = await bundle();
    const dir = mkdtempSync(path.join(tmpdir(), 'slipway-chroot-'));
    for (const name of ['work', 'notes', 'caches']) mkdirSync(path.join(dir, name));
    const worker = new ChrootWorker(dir, bundles);
    worker.restart(capabilities);
    return worker;
  }

  /** Another worker that uses the same store. */
  async sibling(): Promise<ChrootWorker> {
    const worker = await ChrootWorker.start();
    worker.#store = this.#store;
    return worker;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  restart(capabilities = DOCKER): void {
    this.#child = spawn(
      'setpriv',
      [`--bounding-set=${capabilities}`, '--inh-caps=-all', process.execPath, path.join(this.#bundles, 'worker.js')],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const ended = once(this.#child!, 'exit');
    this.#child!.kill('SIGKILL');
    await ended;
  }

  async run(spec: Partial<RunSpec>, task: Partial<FixtureTask> = {}): Promise<FixtureAnswer> {
    this.send(spec, task);
    return await this.answer();
  }

  /** Of the next run that ends. */
  async answer(): Promise<FixtureAnswer> {
    return ((await once(this.#child!, 'message')) as [FixtureAnswer])[0];
  }

  /** What it finds of a dead worker's processes, with the rights that it has. */
  async strays(dir: string): Promise<readonly number[]> {
    this.#child!.send({ strays: dir });
    return ((await once(this.#child!, 'message')) as [readonly number[]])[0];
  }

  send(spec: Partial<RunSpec>, task: Partial<FixtureTask> = {}): void {
    const whole: RunSpec = {
      rootfs: '',
      args: ['true'],
      env: ['PATH=/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [0] },
      network: 'host',
      mounts: [],
      ...spec,
    };
    const options = {
      workDir: path.join(this.dir, 'work'),
      notes: path.join(this.dir, 'notes'),
      lock: path.join(this.#store, 'lock'),
      launcher: path.join(this.#bundles, 'launcher.js'),
    };
    this.#child!.send({ spec: whole, options, ...task } satisfies FixtureTask);
  }

  /** A root with busybox. */
  makeRoot(): string {
    const root = path.join(this.dir, 'work', `root${this.#roots++}`);
    for (const name of ['bin', 'etc', 'root', 'home/app', 'tmp']) mkdirSync(path.join(root, name), { recursive: true });
    const program = findProgram('busybox', process.env);
    if (program === undefined) throw new Error('busybox is not installed: `npm test` installs busybox-static');
    cpSync(program, path.join(root, 'bin/busybox'));
    for (const name of execFileSync(program, ['--list'], { encoding: 'utf8' }).split('\n')) {
      if (name !== '' && name !== 'busybox') symlinkSync('busybox', path.join(root, 'bin', name));
    }
    writeFileSync(path.join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
    writeFileSync(path.join(root, 'etc/group'), 'root:x:0:\napp:x:1000:\n');
    return root;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child!.exitCode === null && this.#child!.signalCode === null) {
      const ended = once(this.#child!, 'exit');
      this.#child!.disconnect();
      await ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(this.#bundles, { recursive: true, force: true });
  }
}

async function bundle(): Promise<string> {
  const outdir = mkdtempSync(path.join(tmpdir(), 'slipway-fixtures-'));
  await build({
    entryPoints: {
      worker: path.join(HERE, 'worker.fixture.ts'),
      launcher: path.join(HERE, 'launcher.ts'),
      'chroot-link-answers': path.join(HERE, 'link-answers.ts'),
    },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    outdir,
    logLevel: 'error',
  });
  writeFileSync(path.join(outdir, 'package.json'), '{"type":"module"}');
  for (const name of ['koffi', '@koromix']) {
    cpSync(path.join(NODE_MODULES, name), path.join(outdir, 'node_modules', name), { recursive: true });
  }
  return outdir;
}

/** The id of a process below `pid` that has `word` in its command line, once there is one. */
export async function processWith(pid: number, word: string): Promise<number> {
  for (;;) {
    const found = descendants(pid).find((one) => commandOf(one).split('\0').includes(word));
    if (found !== undefined) return found;
    await sleep(5);
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  }
}

/** Not so for one that has ended and is still to be waited for. */
export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}
