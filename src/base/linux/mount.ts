import { closeSync, constants, openSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import type { ByteString } from '../bytes.js';
import { lastError, systemError, toCString } from './errno.js';
import { libc } from './libc.js';

/** Flags of mount(2). */
export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  REMOUNT: 0x20,
  BIND: 0x1000,
  REC: 0x4000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  STRICTATIME: 0x1000000,
} as const;

/** Flags of umount2(2). */
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

export interface MountCall {
  readonly source?: ByteString;
  readonly target: ByteString;
  /** `overlay`, `tmpfs`, ...; absent for binds and changes of propagation. */
  readonly type?: string;
  readonly flags?: number;
  /** Options of the file system; the kernel takes less than 4096 bytes of them. */
  readonly data?: ByteString;
  /** Directory that relative paths in `source`, `target` and `data` start from. */
  readonly cwd?: ByteString;
}

/**
 * mount(2). With `cwd` this thread changes into that directory for the time of the call and back. From the first such call
 * on its working directory and umask are its own: what other threads do about theirs is no longer seen.
 */
export function mount(call: MountCall): void {
  const target = toCString(call.target, 'mount');
  const source = toCString(call.source ?? 'none', 'mount');
  const data = call.data === undefined ? null : toCString(call.data, 'mount');
  const run = (): void => {
    if (libc().mount(source, target, call.type ?? null, call.flags ?? 0, data) !== 0) {
      throw lastError('mount', call.source ?? call.type ?? '', call.target);
    }
  };
  if (call.cwd === undefined) run();
  else inDirectory(call.cwd, run);
}

export interface MountAttributes {
  readonly readonly?: boolean;
  readonly nodev?: boolean;
}

/**
 * Adds attributes to the mount at `target`, and keeps all that it has: in a user namespace those of the machine's
 * own mounts are locked, and a remount that does not repeat them is refused. EINVAL when `target` is no mount point.
 */
export function setMountAttributes(target: ByteString, attributes: MountAttributes): void {
  const set = (attributes.readonly === true ? 0x1n : 0n) | (attributes.nodev === true ? 0x4n : 0n);
  const attr = Buffer.alloc(32); // attr_set, attr_clr, propagation, userns_fd
  attr.writeBigUInt64LE(set, 0);
  const path = toCString(target, 'mount_setattr');
  if (libc().mount_setattr(SYS_MOUNT_SETATTR, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, attr, attr.length) === 0) return;
  const errno = libc().errno();
  if (errno !== osConstants.errno.ENOSYS) throw systemError(errno, 'mount_setattr', target);
  // Before Linux 5.12, where only root gets this far: overlayfs in a user namespace is hardly older.
  mount({ target, flags: MS.BIND | MS.REMOUNT | (set & 0x1n ? MS.RDONLY : 0) | (set & 0x4n ? MS.NODEV : 0) });
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** The same number on every architecture. */
const SYS_MOUNT_SETATTR = 442;

/** A bind mount of one directory or file, without what is mounted below it, with attributes added. */
export function bindMount(source: ByteString, target: ByteString, attributes: MountAttributes): void {
  mount({ source, target, flags: MS.BIND });
  try {
    setMountAttributes(target, attributes);
  } catch (error) {
    unmount(target, MNT_DETACH);
    throw error;
  }
}

/** umount2(2). Never follows a link at `target`. */
export function unmount(target: ByteString, flags = 0): void {
  if (libc().umount2(toCString(target, 'umount2'), flags | UMOUNT_NOFOLLOW) !== 0) throw lastError('umount2', target);
}

const O_PATH = 0x200000;
const CLONE_FS = 0x200;
let isAlone = false;

function inDirectory(dir: ByteString, work: () => void): void {
  if (!isAlone && libc().unshare(CLONE_FS) !== 0) throw lastError('unshare');
  isAlone = true;
  // By descriptor, because the directory may have no name any more or lie behind one that may not be searched.
  const back = openSync('.', O_PATH | constants.O_DIRECTORY);
  try {
    if (libc().chdir(toCString(dir, 'chdir')) !== 0) throw lastError('chdir', dir);
    work();
  } finally {
    libc().fchdir(back); // cannot fail: the process was there a moment ago
    closeSync(back);
  }
}
