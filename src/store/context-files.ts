import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile } from '../base/atomic-file.js';
import { hasCode } from '../base/errors.js';
import { digestOf, hexOf } from '../oci/digest.js';
import type { Holding } from './lease-file.js';
import type { StorePaths } from './paths.js';

/** Bytes of the longest file: more would take too much memory for what it spares. */
const LONGEST = 96 * 1024 * 1024;
/** A path of the system has 4096 bytes at most, of which JSON may make six each. */
const LONGEST_LINE = 32 * 1024;

/** A directory of this machine as builds see it. */
export interface ContextName {
  /** Absolute. */
  readonly dir: string;
  /** Text of its .dockerignore. */
  readonly ignore: string;
}

/**
 * What builds remember of their contexts: one file each, replaced by rename, that begins with a line that says whose it is.
 * Nothing depends on it: whoever misses one finds out again what it said.
 */
export class ContextFiles {
  readonly #paths: StorePaths;
  readonly #temp: string;
  readonly #access: 'read' | 'write';

  /** `read`: nothing is remembered. */
  constructor(paths: StorePaths, { leaseId }: Holding, access: 'read' | 'write') {
    this.#paths = paths;
    this.#temp = paths.temp(leaseId);
    this.#access = access;
  }

  /**
   * What was written under that name; undefined also for a file of another user, who could make a build take old content for
   * new by it, and for one that is too long.
   */
  read(name: ContextName): Buffer | undefined {
    const bytes = readOwn(this.#file(name));
    const line = Buffer.from(firstLine(name));
    return bytes?.subarray(0, line.length).equals(line) ? bytes.subarray(line.length) : undefined;
  }

  /** Left out where there is no room for it, on the disk or for its length. */
  async write(name: ContextName, bytes: Uint8Array): Promise<void> {
    if (this.#access === 'read' || bytes.length > LONGEST - LONGEST_LINE) return;
    const file = this.#file(name);
    try {
      await mkdir(path.dirname(file), { recursive: true });
      await replaceFile(file, Buffer.concat([Buffer.from(firstLine(name)), bytes]), this.#temp, 0o600);
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    }
  }

  async remove(name: ContextName): Promise<void> {
    if (this.#access === 'write') await rm(this.#file(name), { force: true });
  }

  /** A path that is free, in the folder of the job's temporary files, which is there then. */
  tempPath(): string {
    mkdirSync(this.#temp, { recursive: true });
    return path.join(this.#temp, randomBytes(8).toString('hex'));
  }

  #file(name: ContextName): string {
    return path.join(this.#paths.contexts, hexOf(digestOf(firstLine(name))));
  }
}

function firstLine({ dir, ignore }: ContextName): string {
  return `${JSON.stringify({ dir, ignore: digestOf(ignore) })}\n`;
}

function readOwn(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'ELOOP')) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    const isOwn = process.geteuid === undefined || stats.uid === process.geteuid();
    return stats.isFile() && isOwn && stats.size <= LONGEST ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The directory that a file of `contexts/` is about; undefined where it does not say so. Throws the system's error. */
export function contextOf(file: string): string | undefined {
  const fd = openSync(file, 'r');
  try {
    const start = Buffer.alloc(LONGEST_LINE);
    const end = start.subarray(0, readSync(fd, start, 0, start.length, 0)).indexOf('\n');
    const { dir } = (JSON.parse(start.toString('utf8', 0, Math.max(end, 0))) ?? {}) as { readonly dir?: unknown };
    return typeof dir === 'string' && path.isAbsolute(dir) ? dir : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}
