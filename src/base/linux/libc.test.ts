import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromText, toFsPath } from '../bytes.js';
import { cloneFile, copyFileRange } from './copy-range.js';
import { asFileUser, changeRoot } from './credentials.js';
import { execute, reap, setLimit } from './exec.js';
import { flock, unlockFile } from './flock.js';
import { lutimes, lutimesNs, majorOf, makeDevice, minorOf, mkfifo, mknod } from './inode.js';
import { packageRoot } from '../package-root.js';
import { KOFFI_VERSION, libc, libcNames } from './libc.js';
import { MS, bindMount, mount, setMountAttributes, unmount } from './mount.js';
import { becomeSubreaper, dieWithParent, killGroup, parentDeathSignal } from './process.js';
import { renameExchange, renameNoReplace } from './rename.js';
import { fillRow, STAT_ROW } from '../stat-row.js';
import { statxAt } from './statx.js';
import { seekData, seekHole, seekTo } from './sparse.js';
import { fileSystemType } from './statfs.js';
import { lgetxattr, llistxattr, lremovexattr, lsetxattr } from './xattr.js';

const root = process.getuid?.() === 0;
const dir = mkdtempSync(path.join(tmpdir(), 'slipway-linux-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string): string => path.join(dir, name);

test('the native part of koffi that is taken is that of the package', () => {
  const { dependencies } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  expect(dependencies['koffi']).toBe(KOFFI_VERSION);
});

test('every declared function exists in the C library', () => {
  for (const name of libcNames) expect(libc()[name], name).toBeTypeOf('function');
});

test('attributes keep every byte, on names that are not UTF-8 and on links', () => {
  const file = `${dir}/caf\xe9`;
  writeFileSync(toFsPath(file), '');
  const value = Buffer.from([0, 255, 10, 0]);
  lsetxattr(file, 'user.a', value);
  lsetxattr(file, fromText('user.ü'), Buffer.alloc(0));
  expect(lgetxattr(file, 'user.a')).toEqual(value);
  expect(lgetxattr(file, fromText('user.ü'))).toEqual(Buffer.alloc(0));
  expect(llistxattr(file)).toEqual(['user.a', fromText('user.ü')]);
  lremovexattr(file, 'user.a');
  lremovexattr(file, 'user.a');
  expect(lgetxattr(file, 'user.a')).toBeUndefined();
  symlinkSync(toFsPath(file), at('to-cafe'));
  expect(llistxattr(at('to-cafe'))).toEqual([]);
  expect(() => lsetxattr(at('to-cafe'), 'user.a', value)).toThrow(expect.objectContaining({ code: 'EPERM' }));
  expect(() => lgetxattr(at('absent'), 'user.a')).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'lgetxattr', path: at('absent'), errno: -2 }),
  );
  expect(() => llistxattr(`${dir}/a\0b`)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test('large attribute values and many names', () => {
  const shm = mkdtempSync('/dev/shm/slipway-linux-');
  try {
    writeFileSync(`${shm}/f`, '');
    const big = Buffer.alloc(60_000, 7);
    try {
      lsetxattr(`${shm}/f`, 'user.big', big);
    } catch {
      return; // a tmpfs before Linux 6.6 has no user attributes
    }
    expect(lgetxattr(`${shm}/f`, 'user.big')?.equals(big)).toBe(true);
  } finally {
    rmSync(shm, { recursive: true });
  }
});

test('times are set to the nanosecond, before 1970 too, and on the link itself', () => {
  writeFileSync(at('timed'), '');
  lutimesNs(at('timed'), 5_000_000_007n, -1_500_000_000n);
  const stat = lstatSync(at('timed'), { bigint: true });
  expect([stat.atimeNs, stat.mtimeNs]).toEqual([5_000_000_007n, -1_500_000_000n]);
  symlinkSync('timed', at('timed-link'));
  lutimes(at('timed-link'), 1_400_000_000, 9);
  expect(lstatSync(at('timed-link'), { bigint: true }).mtimeNs).toBe(1_400_000_000_000_000_009n);
  expect(lstatSync(at('timed'), { bigint: true }).mtimeNs).toBe(-1_500_000_000n);
});

test('fifos and plain nodes; device numbers as the kernel packs them', () => {
  mkfifo(at('fifo'), 0o600);
  expect(lstatSync(at('fifo')).isFIFO()).toBe(true);
  mknod(at('socket'), 'socket', 0o600);
  expect(lstatSync(at('socket')).isSocket()).toBe(true);
  expect(() => mkfifo(at('fifo'), 0o600)).toThrow(expect.objectContaining({ code: 'EEXIST', syscall: 'mkfifo' }));
  for (const [major, minor] of [
    [1, 3],
    [259, 65536 + 7],
    [0xfff, 0xfffff],
    [5000, 255],
  ] as const) {
    expect([majorOf(makeDevice(major, minor)), minorOf(makeDevice(major, minor))]).toEqual([major, minor]);
  }
});

test.skipIf(!root)('devices (needs root)', () => {
  mknod(at('device'), 'block', 0o640, 259, 70_000);
  const stat = lstatSync(at('device'));
  expect(stat.isBlockDevice()).toBe(true);
  expect([majorOf(stat.rdev), minorOf(stat.rdev)]).toEqual([259, 70_000]);
});

test('statx gives what lstat gives', () => {
  writeFileSync(at('plain'), 'text');
  linkSync(at('plain'), at('plain-2'));
  symlinkSync('plain', at('link'));
  mkdirSync(at('folder'));
  mkfifo(at('pipe'), 0o640);
  writeFileSync(toFsPath(`${dir}/\xff`), '');
  lutimes(at('plain'), -5, 7);
  truncateSync(at('plain'), 5_000_000_000);
  const fd = openSync(dir, 'r');
  const names = ['plain', 'link', 'folder', 'pipe', '\xff', ...(root ? ['device'] : [])];
  for (const name of [...names, '../..']) {
    const [found, expected] = [new Float64Array(2 * STAT_ROW), new Float64Array(2 * STAT_ROW)];
    expect(statxAt(fd, name, found, STAT_ROW), name).toBe(true);
    fillRow(expected, STAT_ROW, lstatSync(toFsPath(`${dir}/${name}`)));
    expect(found, name).toEqual(expected);
  }
  expect(statxAt(fd, 'absent', new Float64Array(STAT_ROW), 0)).toBe(false);
  expect(statxAt(fd, 'plain/x', new Float64Array(STAT_ROW), 0)).toBeUndefined();
  closeSync(fd);
  rmSync(at('plain'));
  rmSync(at('plain-2'));
});

test('rename without replacing, and exchange', () => {
  writeFileSync(at('one'), '1');
  writeFileSync(at('two'), '2');
  expect(() => renameNoReplace(at('one'), at('two'))).toThrow(
    expect.objectContaining({ code: 'EEXIST', path: at('one'), dest: at('two') }),
  );
  renameExchange(at('one'), at('two'));
  expect([readFileSync(at('one'), 'utf8'), readFileSync(at('two'), 'utf8')]).toEqual(['2', '1']);
  renameNoReplace(at('one'), at('three'));
  expect(readFileSync(at('three'), 'utf8')).toBe('2');
});

test('copying inside the kernel', () => {
  writeFileSync(at('from'), 'x'.repeat(100_000));
  const input = openSync(at('from'), 'r');
  const output = openSync(at('to'), 'w');
  let copied = 0;
  for (let n = 1; n > 0; copied += n) n = copyFileRange(input, output, 60_000);
  expect(copied).toBe(100_000);
  expect(statSync(at('to')).size).toBe(100_000);
  try {
    cloneFile(input, output); // works on btrfs and xfs
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toMatch(/^(ENOTSUP|EOPNOTSUPP|EINVAL|EXDEV|ENOTTY)$/);
  }
  expect(() => copyFileRange(input, 9999, 1)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  closeSync(input);
  closeSync(output);
});

test('holes', () => {
  const fd = openSync(at('sparse'), 'w+');
  ftruncateSync(fd, 4 * 1024 * 1024);
  writeSync(fd, 'data', 1024 * 1024);
  expect(seekData(fd, 0)).toBe(1024 * 1024);
  expect(seekHole(fd, 1024 * 1024)).toBeGreaterThan(1024 * 1024);
  expect(seekData(fd, 2 * 1024 * 1024)).toBeUndefined();
  expect(seekHole(fd, 5 * 1024 * 1024)).toBeUndefined();
  seekTo(fd, 0);
  expect(() => seekTo(9999, 0)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'lseek' }));
  closeSync(fd);
});

test('locks exclude, and go with the descriptor', () => {
  const a = openSync(at('lock'), 'w');
  const b = openSync(at('lock'), 'r');
  expect(flock(a, 'exclusive')).toBe(true);
  expect(flock(b, 'shared')).toBe(false);
  unlockFile(a);
  expect(flock(b, 'shared')).toBe(true);
  expect(flock(a, 'exclusive')).toBe(false);
  closeSync(b);
  expect(flock(a, 'exclusive')).toBe(true);
  closeSync(a);
  expect(() => flock(9999, 'shared')).toThrow(expect.objectContaining({ code: 'EBADF' }));
});

test('process controls', () => {
  const before = parentDeathSignal();
  expect(before).toBe(0);
  dieWithParent('SIGCHLD');
  expect(parentDeathSignal()).toBe(17);
  expect(libc().prctl(1, 0, 0, 0, 0)).toBe(0);
  becomeSubreaper();
  expect(libc().prctl(36, 0, 0, 0, 0)).toBe(0);
  expect(() => killGroup(1, 'SIGKILL')).toThrow(RangeError);
  expect(killGroup(0x3ffffff, 'SIGKILL')).toBe(false);
});

test('what changes a process says why it cannot, where it cannot', () => {
  expect(reap(0x3ffffff)).toBe(false);
  expect(execute('/absent', ['absent'], [])).toMatchObject({ code: 'ENOENT', syscall: 'execve', path: '/absent' });
  expect(execute('/bin/true', ['a\0b'], [])).toMatchObject({ code: 'EINVAL' });
  expect(() => changeRoot(at('absent'))).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'chroot' }));
  expect(() => setLimit(999, 1, -1)).toThrow(expect.objectContaining({ code: 'EINVAL', syscall: 'setrlimit' }));
});

test.skipIf(!root)('a thread is another user for files, for the time of a call (needs root)', () => {
  writeFileSync(at('closed'), '', { mode: 0o600 });
  expect(() => asFileUser(12345, 12345, () => readFileSync(at('closed')))).toThrow('EACCES');
  expect(readFileSync(at('closed'), 'utf8')).toBe('');
});

test('kinds of file systems', () => {
  expect(fileSystemType('/proc')).toBe('proc');
  expect(fileSystemType(dir)).toMatch(/^\w+$/);
});

test.skipIf(!root)('mounts, with names relative to a directory (needs root)', () => {
  const base = at('mounts');
  mkdirSync(`${base}/in`, { recursive: true });
  mkdirSync(`${base}/out`);
  writeFileSync(`${base}/in/f`, 'hello');
  const cwd = process.cwd();
  mount({ source: 'in', target: 'out', flags: MS.BIND, cwd: base });
  expect(process.cwd()).toBe(cwd);
  expect(readdirSync('/proc/self/cwd')).toEqual(readdirSync(cwd));
  expect(readFileSync(`${base}/out/f`, 'utf8')).toBe('hello');
  unmount(`${base}/out`);
  expect(readdirSync(`${base}/out`)).toEqual([]);
  expect(() => setMountAttributes(`${base}/out`, { nodev: true })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  bindMount(`${base}/in`, `${base}/out`, { readonly: true });
  expect(() => writeFileSync(`${base}/out/g`, '')).toThrow(expect.objectContaining({ code: 'EROFS' }));
  unmount(`${base}/out`);
  expect(() => unmount(`${base}/out`)).toThrow(expect.objectContaining({ code: 'EINVAL', syscall: 'umount2' }));
  expect(() => mount({ target: `${base}/out`, type: 'no-such-type' })).toThrow(
    expect.objectContaining({ code: 'ENODEV' }),
  );
});

test('koffi is required by the first call, not imported', () => {
  const source = readFileSync(new URL('libc.ts', import.meta.url), 'utf8');
  expect(source).not.toMatch(/^import (?!type)[^;]*'koffi'/m);
});
