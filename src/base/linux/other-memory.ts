import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { hasCode } from '../errors.js';
import { asFileUser } from './credentials.js';
import { systemError } from './errno.js';

/** The memory of another process: of the one that had this id when it was opened, also when another has it by now. */
export class OtherMemory implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Throws ENOENT, ESRCH when there is no such process, EACCES, EPERM when this one may not look into it. */
  static open(pid: number): OtherMemory {
    return new OtherMemory(asItsUser(pid, () => openSync(`/proc/${pid}/mem`, 'r+')));
  }

  /** Up to `size` bytes; fewer where the memory ends. Throws EIO where there is none. */
  read(address: bigint, size: number): Buffer {
    const bytes = Buffer.alloc(size);
    requireUserAddress(address);
    return bytes.subarray(0, readSync(this.#fd, bytes, 0, size, address));
  }

  /** Throws EIO where there is none. */
  write(address: bigint, bytes: Buffer): void {
    requireUserAddress(address);
    writeSync(this.#fd, bytes, 0, bytes.length, Number(address));
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** A process can give any number as an address. Those beyond `MAX_ADDRESS` Node.js cannot take, or not exactly. */
function requireUserAddress(address: bigint): void {
  if (address >= MAX_ADDRESS) throw systemError(constants.errno.EIO, 'pread');
}

/** Above is the kernel's memory, or what a program gets only if it asks for more than 47 bits. */
const MAX_ADDRESS = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * What `look` gives, which asks /proc about a process of any user. Without CAP_SYS_PTRACE /proc answers about those only that
 * belong to who asks.
 */
export function asItsUser<T>(pid: number, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM')) throw error;
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const [uid, gid] = ['Uid', 'Gid'].map((name) =>
      Number(new RegExp(`^${name}:\\s*\\d+\\s+(\\d+)`, 'm').exec(status)?.[1]),
    ) as [number, number];
    return asFileUser(uid, gid, look);
  }
}
