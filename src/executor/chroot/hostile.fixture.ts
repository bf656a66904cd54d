import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';

/**
 * A RUN that wants out, for a test: tries what is known and prints as JSON what each attempt came to. The first argument is the
 * device number of the machine's disk.
 */
const libc = koffi.load(null);
const chroot = libc.func('int chroot(const char *path)');
const chdir = libc.func('int chdir(const char *path)');
const fchdir = libc.func('int fchdir(int fd)');
const unshare = libc.func('int unshare(int flags)');
const mount = libc.func('int mount(const char *s, const char *t, const char *type, uint64_t flags, const char *data)');
const mknod = libc.func('int mknod(const char *path, uint32_t mode, uint64_t dev)');
const prctl = libc.func('int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)');
const syscall = libc.func('int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d)');
const ptrace = libc.func('int64_t ptrace(int request, int pid, int64_t address, int64_t data)');

const PTRACE_ATTACH = 16;
const PTRACE_SEIZE = 0x4206;
const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;
const PR_CAPBSET_READ = 23;
const CAP_SYS_CHROOT = 18;

const builder = process.ppid;
const pidfd = Number(syscall(PIDFD_OPEN, builder, 0, 0, 0));

function tried(result: number | bigint): string {
  if (Number(result) >= 0) return 'done';
  const errno = koffi.errno();
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? String(errno);
}

/** Whether the disk's content can be read through a node of its own. */
function readDisk(): string {
  const made = tried(mknod('/tmp/disk', 0o060600, Number(process.argv[2])) as number);
  if (made !== 'done') return made;
  try {
    const fd = openSync('/tmp/disk', 'r');
    readSync(fd, Buffer.alloc(4096));
    closeSync(fd);
    return 'done';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** Descriptors that lead to a directory, from which the way up would be free. */
function directories(): readonly number[] {
  const found: number[] = [];
  for (let fd = 0; fd < 4096; fd++) if (fd !== pidfd && (fchdir(fd) as number) === 0) found.push(fd);
  return found;
}

async function debuggerListens(): Promise<boolean> {
  process.kill(builder, 'SIGUSR1');
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const answer = await fetch('http://127.0.0.1:9229/json/list').catch(() => undefined);
    if (answer) return true;
  }
  return false;
}

const rootBefore = statSync('/').ino;
chdir('/tmp');
for (let i = 0; i < 64; i++) chdir('..');
process.stdout.write(
  JSON.stringify({
    chroot: tried(chroot('/tmp') as number),
    bounding: prctl(PR_CAPBSET_READ, CAP_SYS_CHROOT, 0, 0, 0),
    userNamespace: spawnSync('/bin/unshare', ['--user', 'true'], { encoding: 'utf8' }).stderr,
    mountNamespace: tried(unshare(0x20000) as number),
    mount: tried(mount('proc', '/proc', 'proc', 0, null) as number),
    attach: tried(ptrace(PTRACE_ATTACH, builder, 0, 0) as number),
    seize: tried(ptrace(PTRACE_SEIZE, builder, 0, 0) as number),
    takeDescriptor: tried(syscall(PIDFD_GETFD, pidfd, 0, 0, 0) as number),
    readDisk: readDisk(),
    directories: directories(),
    up: statSync('..').ino === rootBefore,
    proc: [existsSync('/proc/1/root'), readdirSync('/proc')],
    environment: Object.keys(process.env),
    debugger: await debuggerListens(),
  }),
);
