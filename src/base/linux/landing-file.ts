import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fromText } from '../bytes.js';
import { hasCode } from '../errors.js';
import { isLinux } from '../platform.js';
import { lastError, toCString } from './errno.js';
import { libc } from './libc.js';

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
/** O_TMPFILE with the O_DIRECTORY that belongs to it; the same number on x86-64 and, by its own O_DIRECTORY, on others. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/**
 * A file that is written first and gets its name when it is whole: the kernel forgets it when the process is killed
 * before. Systems and file systems that have no such files get a temporary name beside the real one, which stays when the
 * process is killed. Closed by its disposal.
 */
export class LandingFile {
  readonly fd: number;
  readonly #dest: string;
  /** The name that it has already, where it needs one. */
  #temp: string | undefined;

  private constructor(fd: number, dest: string, temp: string | undefined) {
    this.fd = fd;
    this.#dest = dest;
    this.#temp = temp;
  }

  /** Throws what `open` throws for the folder of `dest`. */
  static open(dest: string): LandingFile {
    if (isLinux && existsSync('/proc/self/fd')) {
      try {
        return new LandingFile(openSync(path.dirname(dest), O_TMPFILE | constants.O_RDWR, 0o644), dest, undefined);
      } catch (error) {
        if (!hasCode(error, 'EOPNOTSUPP', 'ENOTSUP', 'EISDIR', 'EINVAL', 'ENOSYS')) throw error;
      }
    }
    const temp = tempBeside(dest);
    return new LandingFile(openSync(temp, 'wx+', 0o644), dest, temp);
  }

  /** Puts it in the place of what is at `dest`, in one step. */
  land(): void {
    if (this.#temp === undefined) {
      if (link(this.fd, this.#dest)) return;
      const temp = tempBeside(this.#dest);
      if (!link(this.fd, temp)) throw new Error(`a random name is taken: ${temp}`);
      this.#temp = temp;
    }
    renameSync(this.#temp, this.#dest);
    this.#temp = undefined;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
    if (this.#temp !== undefined) rmSync(this.#temp, { force: true });
  }
}

/** False when the name is taken. */
function link(fd: number, name: string): boolean {
  const from = `/proc/self/fd/${fd}`;
  const to = toCString(fromText(name), 'linkat');
  if (libc().linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) === 0) return true;
  const error = lastError('linkat', fromText(from), fromText(name));
  if (hasCode(error, 'EEXIST')) return false;
  throw error;
}

function tempBeside(dest: string): string {
  return path.join(path.dirname(dest), `.${path.basename(dest).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`);
}
