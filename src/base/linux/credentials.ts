import type { ByteString } from '../bytes.js';
import { lastError, toCString } from './errno.js';
import { libc } from './libc.js';

const PR_SET_DUMPABLE = 4;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const CAPABILITY_VERSION_3 = 0x20080522;

/** Makes `dir` the root of this process, and its working directory. Needs CAP_SYS_CHROOT. */
export function changeRoot(dir: ByteString): void {
  if (libc().chroot(toCString(dir, 'chroot')) !== 0) throw lastError('chroot', dir);
  if (libc().chdir('/') !== 0) throw lastError('chdir', '/');
}

/** Sets supplementary groups, then all group ids, then all user ids, in the one order in which each is still allowed. */
export function becomeUser(uid: number, gid: number, groups: readonly number[]): void {
  if (libc().setgroups(groups.length, Uint32Array.from(groups)) !== 0) throw lastError('setgroups');
  if (libc().setresgid(gid, gid, gid) !== 0) throw lastError('setresgid');
  if (libc().setresuid(uid, uid, uid) !== 0) throw lastError('setresuid');
}

/**
 * Takes every capability but `kept` (by number) out of the bounding set of the calling thread, so that no program that
 * it executes can have one again. Needs CAP_SETPCAP if there is anything to take.
 */
export function boundCapabilities(kept: ReadonlySet<number>): void {
  for (let number = 0; number < 64; number++) {
    const has = libc().prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (has < 0) return; // EINVAL: past the last one of this kernel
    if (has === 0 || kept.has(number)) continue;
    if (libc().prctl(PR_CAPBSET_DROP, number, 0, 0, 0) !== 0) throw lastError('prctl');
  }
}

/** Leaves the calling thread with these capabilities (by number), permitted and effective; none of them is inherited. */
export function setCapabilities(numbers: Iterable<number>): void {
  if (libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) !== 0) throw lastError('prctl');
  let mask = 0n;
  for (const number of numbers) mask |= 1n << BigInt(number);
  const [low, high] = [Number(mask & 0xffffffffn), Number(mask >> 32n)];
  // struct __user_cap_data_struct, twice: effective, permitted, inheritable
  const data = Uint32Array.of(low, low, 0, high, high, 0);
  if (libc().capset(Uint32Array.of(CAPABILITY_VERSION_3, 0), data) !== 0) throw lastError('capset');
}

/** Keeps others of this user from looking into this process, until it executes another program. */
export function forbidTracing(): void {
  if (libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) throw lastError('prctl');
}

/**
 * What `read` gives when the calling thread is, for files, another user. Only for synchronous calls, which are made on this
 * thread. Nobody else gains a hold on this process by it, as on one that changes its user id. Needs CAP_SETUID, CAP_SETGID.
 */
export function asFileUser<T>(uid: number, gid: number, read: () => T): T {
  const ownGid = libc().setfsgid(gid);
  const ownUid = libc().setfsuid(uid);
  try {
    return read();
  } finally {
    libc().setfsuid(ownUid);
    libc().setfsgid(ownGid);
  }
}
