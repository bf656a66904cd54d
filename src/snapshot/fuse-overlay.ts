import { spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../base/abort.js';
import { fromText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { MNT_DETACH, unmount } from '../base/linux/mount.js';

export interface FuseOverlay {
  /** Lowest first. All names are relative to `dir`, plain, and without colons and commas. */
  readonly lowers: readonly string[];
  readonly target: string;
  /** Absent for a file system that takes no changes. */
  readonly changes?: { readonly upper: string; readonly work: string };
}

/** How often it is looked whether the mount is there; it takes some milliseconds. */
const LOOK_MS = 2;
/** How long the program may take to end by itself after its mount has gone. */
const END_MS = 2000;
const STDERR_KEPT = 4096;

/**
 * A mount that the program fuse-overlayfs serves, which is a child of this process in a session of its own: Ctrl-C
 * does not reach it, and it ends with the process namespace of a worker.
 */
export class FuseMount {
  readonly #child: ChildProcess;
  readonly #target: string;
  readonly #ended: Promise<string>;
  #how: string | undefined;
  #stderr = '';
  #mounted = true;

  private constructor(child: ChildProcess, target: string) {
    this.#child = child;
    this.#target = target;
    child.stderr!.on('data', (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-STDERR_KEPT)));
    this.#ended = new Promise((resolve) => {
      const end = (how: string): void => resolve((this.#how ??= how));
      child.once('error', (error) => end(error.message));
      child.once('close', (code, signal) => end(signal ?? `code ${code}`));
    });
  }

  /** Starts `program` and waits for its mount. Throws WORKER_FAILED with what it said when there is none. */
  static async open(program: string, dir: string, overlay: FuseOverlay, { signal }: Cancel): Promise<FuseMount> {
    signal.throwIfAborted();
    const { lowers, target, changes } = overlay;
    const options = [
      `lowerdir=${lowers.toReversed().join(':')}`,
      ...(changes ? [`upperdir=${changes.upper}`, `workdir=${changes.work}`, 'volatile'] : ['ro']),
    ];
    const at = `${dir}/${target}`;
    const before = statSync(at).dev;
    const child = spawn(program, ['-f', '-o', options.join(','), target], {
      cwd: dir,
      env: {}, // some variables change what it writes
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const mount = new FuseMount(child, at);
    try {
      while (mount.#how === undefined && deviceOf(at) === before) await sleep(LOOK_MS, undefined, { signal });
      mount.check();
      return mount;
    } catch (error) {
      child.kill('SIGKILL');
      await mount.#ended; // before that its mount may still come
      mount.drop();
      throw error;
    }
  }

  /** Throws WORKER_FAILED when the program has ended although its mount should be there. */
  check(): void {
    if (this.#how !== undefined && this.#mounted) throw this.#failure(this.#how);
  }

  /**
   * Takes the mount away, and waits for the program's end: after that nothing changes the upper directory. What was written
   * is in it before that, since the kernel hands it over when a file is closed or its mapping ends. Nothing may use the mount any more;
   * the program is ended where a copy of the mount in another mount namespace keeps it.
   */
  async finish({ signal }: Cancel): Promise<void> {
    this.check();
    this.#unmount();
    const end = new AbortController();
    const late = sleep(END_MS, 'late' as const, { signal: AbortSignal.any([signal, end.signal]) });
    late.catch(() => undefined);
    try {
      const how = await Promise.race([this.#ended, late]);
      if (how !== 'late' && how !== 'code 0') throw this.#failure(how);
    } finally {
      end.abort();
      this.drop();
    }
    await this.#ended;
  }

  /** Takes the mount away, and ends the program, whatever it is doing. */
  drop(): void {
    this.#unmount();
    this.#child.kill('SIGKILL');
  }

  #unmount(): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    try {
      unmount(fromText(this.#target), MNT_DETACH);
    } catch (error) {
      if (!hasCode(error, 'EINVAL')) throw error; // it was never there
    }
  }

  #failure(how: string): BuildError {
    const said = this.#stderr.trim();
    return new BuildError('WORKER_FAILED', `\`fuse-overlayfs\` ended with ${how}${said === '' ? '' : `: ${said}`}`, {
      hint: 'try again, or put the store where overlayfs works (`--root`); `slipway doctor` tells where that is',
    });
  }
}

/** The mount is there, with nobody behind it, when the program ends right after it mounted. */
function deviceOf(dir: string): number {
  try {
    return statSync(dir).dev;
  } catch (error) {
    if (hasCode(error, 'ENOTCONN', 'ECONNABORTED')) return -1;
    throw error;
  }
}
