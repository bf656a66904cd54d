import { createRequire } from 'node:module';
import { hasCode } from '../errors.js';

/** That of package.json: the native part of another one is not taken. */
export const KOFFI_VERSION = '3.3.4';

type CFunction = (...args: never[]) => unknown;

/** A path or name for C: text when it is ASCII, otherwise its bytes with the closing NUL. */
export type CString = string | Buffer;

/**
 * Every C function that Slipway calls, with its one signature. A wrong signature corrupts memory instead of throwing,
 * so nothing else in the project declares one, and `libc.test.ts` calls each of them for real. Sizes and offsets are
 * 64 bits wide whatever the platform's `long` is.
 */
const signatures = {
  mount: 'int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)',
  mount_setattr:
    'int64_t syscall(int64_t number, int dirfd, const char *path, uint32_t flags, const void *attr, uint64_t size)',
  umount2: 'int umount2(const char *target, int flags)',
  chdir: 'int chdir(const char *path)',
  fchdir: 'int fchdir(int fd)',
  unshare: 'int unshare(int flags)',
  lgetxattr: 'int64_t lgetxattr(const char *path, const char *name, void *value, uint64_t size)',
  lsetxattr: 'int lsetxattr(const char *path, const char *name, const void *value, uint64_t size, int flags)',
  llistxattr: 'int64_t llistxattr(const char *path, void *list, uint64_t size)',
  lremovexattr: 'int lremovexattr(const char *path, const char *name)',
  mknod: 'int mknod(const char *path, uint32_t mode, uint64_t dev)',
  mkfifo: 'int mkfifo(const char *path, uint32_t mode)',
  statx: 'int64_t syscall(int64_t number, int dirfd, const char *path, int flags, uint32_t mask, void *answer)',
  utimensat: 'int utimensat(int dirfd, const char *path, const void *times, int flags)',
  renameat2: 'int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, uint32_t flags)',
  linkat: 'int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)',
  copy_file_range:
    'int64_t copy_file_range(int in, void *inOffset, int out, void *outOffset, uint64_t length, uint32_t flags)',
  ioctl: 'int ioctl(int fd, uint64_t request, int64_t argument)',
  flock: 'int flock(int fd, int operation)',
  prctl: 'int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)',
  prctlOut: 'int prctl(int option, void *out, uint64_t b, uint64_t c, uint64_t d)',
  lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
  fcntl: 'int fcntl(int fd, int command, int64_t argument)',
  chroot: 'int chroot(const char *path)',
  setgroups: 'int setgroups(uint64_t size, const void *list)',
  setresgid: 'int setresgid(uint32_t real, uint32_t effective, uint32_t saved)',
  setresuid: 'int setresuid(uint32_t real, uint32_t effective, uint32_t saved)',
  setfsgid: 'int setfsgid(uint32_t id)',
  setfsuid: 'int setfsuid(uint32_t id)',
  capset: 'int capset(const void *header, const void *data)',
  setrlimit: 'int setrlimit(int resource, const void *limits)',
  signal: 'int64_t signal(int number, int64_t handler)',
  sigprocmask: 'int sigprocmask(int how, const void *set, void *old)',
  execve: 'int execve(const char *path, const char **argv, const char **envp)',
  waitpid: 'int waitpid(int pid, void *status, int options)',
  seccomp: 'int64_t syscall(int64_t number, uint32_t operation, uint32_t flags, const SlipwayFilter *program)',
  socketpair: 'int socketpair(int domain, int type, int protocol, void *sockets)',
  sendmsg: 'int64_t sendmsg(int socket, const SlipwayMessage *message, int flags)',
  recvmsg: 'int64_t recvmsg(int socket, SlipwayMessage *message, int flags)',
  poll: 'int poll(void *fds, uint64_t count, int timeout)',
  ioctlWith: 'int ioctl(int fd, uint64_t request, void *argument)',
} as const;

/** struct msghdr of one part. */
export interface Message {
  readonly name: null;
  readonly nameLength: 0;
  readonly parts: readonly [Part];
  readonly partCount: 1;
  readonly control: Buffer;
  readonly controlLength: number;
  readonly flags: 0;
}

/** struct iovec. */
export interface Part {
  readonly base: Buffer;
  readonly length: number;
}

/** Structures by the names that the signatures have for them. */
const structures = {
  SlipwayFilter: { length: 'uint16_t', filter: 'const void *' },
  SlipwayPart: { base: 'void *', length: 'uint64_t' },
  SlipwayMessage: {
    name: 'void *',
    nameLength: 'uint32_t',
    parts: 'SlipwayPart *',
    partCount: 'uint64_t',
    control: 'void *',
    controlLength: 'uint64_t',
    flags: 'int',
  },
} as const;

interface Libc {
  mount(source: CString, target: CString, type: string | null, flags: number, data: CString | null): number;
  /** Through syscall(2), for C libraries without it. */
  mount_setattr(number: number, dirfd: number, path: CString, flags: number, attr: Buffer, size: number): number;
  umount2(target: CString, flags: number): number;
  chdir(path: CString): number;
  fchdir(fd: number): number;
  unshare(flags: number): number;
  lgetxattr(path: CString, name: CString, value: Buffer | null, size: number): number;
  lsetxattr(path: CString, name: CString, value: Uint8Array, size: number, flags: number): number;
  llistxattr(path: CString, list: Buffer | null, size: number): number;
  lremovexattr(path: CString, name: CString): number;
  mknod(path: CString, mode: number, dev: number): number;
  mkfifo(path: CString, mode: number): number;
  /** Through syscall(2), for C libraries without it. */
  statx(number: number, dirfd: number, path: CString, flags: number, mask: number, answer: Buffer): number | bigint;
  utimensat(dirfd: number, path: CString, times: Buffer, flags: number): number;
  renameat2(olddirfd: number, oldpath: CString, newdirfd: number, newpath: CString, flags: number): number;
  linkat(olddirfd: number, oldpath: CString, newdirfd: number, newpath: CString, flags: number): number;
  copy_file_range(
    input: number,
    inOffset: null,
    output: number,
    outOffset: null,
    length: number,
    flags: number,
  ): number;
  ioctl(fd: number, request: number, argument: number): number;
  flock(fd: number, operation: number): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  /** prctl(2) for the options that write through a pointer. */
  prctlOut(option: number, out: Buffer, b: number, c: number, d: number): number;
  lseek(fd: number, offset: number, whence: number): number | bigint;
  fcntl(fd: number, command: number, argument: number): number;
  chroot(path: CString): number;
  setgroups(size: number, list: Uint32Array): number;
  setresgid(real: number, effective: number, saved: number): number;
  setresuid(real: number, effective: number, saved: number): number;
  /** Both give the id from before, whether it is changed or not. */
  setfsgid(id: number): number;
  setfsuid(id: number): number;
  capset(header: Uint32Array, data: Uint32Array): number;
  setrlimit(resource: number, limits: BigUint64Array): number;
  signal(number: number, handler: number): number;
  sigprocmask(how: number, set: Uint8Array, old: null): number;
  /** Both lists end with null. */
  execve(path: CString, argv: readonly (string | null)[], envp: readonly (string | null)[]): number;
  waitpid(pid: number, status: null, options: number): number;
  /** Through syscall(2), for C libraries without it. */
  seccomp(
    number: number,
    operation: number,
    flags: number,
    program: { length: number; filter: Buffer },
  ): number | bigint;
  socketpair(domain: number, type: number, protocol: number, sockets: Int32Array): number;
  sendmsg(socket: number, message: Message, flags: number): number | bigint;
  recvmsg(socket: number, message: Message, flags: number): number | bigint;
  poll(fds: Buffer, count: number, timeout: number): number;
  /** ioctl(2) for the requests that read or write through a pointer. */
  ioctlWith(fd: number, request: number, argument: Buffer): number;
  /** Of the last call made on this thread. */
  errno(): number;
}

export type LibcName = keyof typeof signatures;

/** Names of all functions declared here; a test calls each. */
export const libcNames = Object.keys(signatures) as readonly LibcName[];

let loaded: Libc | undefined;

/** The functions of the C library. The first call loads koffi (about 7 ms); importing this file loads nothing. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const koffi = loadKoffi();
  for (const [name, members] of Object.entries(structures)) if (!isKnown(koffi, name)) koffi.struct(name, members);
  const library = koffi.load(null); // what Node.js itself is linked with: glibc or musl
  const table = { errno: () => koffi.errno() } as unknown as Libc;
  for (const name of libcNames) declareLater(table, name, library);
  return table;
}

/**
 * The native part alone where it lies beside koffi, as npm puts it: koffi's own loader looks for it in many places, which takes
 * as long as all the rest.
 */
function loadKoffi(): typeof import('koffi') {
  const require = createRequire(import.meta.url);
  try {
    const native = require(`@koromix/koffi-${process.platform}-${process.arch}`) as typeof import('koffi');
    if (native.version === KOFFI_VERSION) return native;
  } catch (error) {
    if (!hasCode(error, 'MODULE_NOT_FOUND')) throw error;
  }
  return require('koffi') as typeof import('koffi');
}

interface Library {
  func(signature: string): CFunction;
}

/** When it is first asked for: to declare them all takes as long as many calls. */
function declareLater(table: Libc, name: LibcName, library: Library): void {
  const declare = (): unknown => {
    const value = name === 'mknod' ? loadMknod(library) : library.func(signatures[name]);
    Object.defineProperty(table, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(table, name, { get: declare, enumerable: true, configurable: true });
}

/** Names of types are those of the whole thread, in which this file can be twice: as a source and bundled. */
function isKnown(koffi: typeof import('koffi'), name: string): boolean {
  try {
    koffi.type(name);
    return true;
  } catch {
    return false; // it throws nothing else
  }
}

/** glibc before 2.33 has `mknod` only as `__xmknod`, whose first argument is 0 on the 64-bit platforms. */
function loadMknod(library: Library): CFunction {
  try {
    return library.func(signatures.mknod);
  } catch {
    const xmknod = library.func('int __xmknod(int version, const char *path, uint32_t mode, const uint64_t *dev)');
    const call = (path: CString, mode: number, dev: number): unknown =>
      xmknod(0 as never, path as never, mode as never, new BigUint64Array([BigInt(dev)]) as never);
    return call;
  }
}
