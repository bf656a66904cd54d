import { chmodSync, closeSync, constants, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type ByteString, toFsPath } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { mknod } from '../../base/linux/inode.js';

/** The harmless ones, with the kernel's numbers (`Documentation/admin-guide/devices.txt`). */
const DEVICES = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;

const LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const;

/**
 * Fills an empty directory as a RUN's /dev. No terminals (`ptmx`, `pts`): they want a mount. Where devices cannot be made
 * or opened, `null` is an ordinary empty file and the others are missing; then false.
 */
export function fillDev(dir: ByteString): boolean {
  mkdirSync(toFsPath(`${dir}/shm`));
  chmodSync(toFsPath(`${dir}/shm`), 0o1777);
  for (const [name, target] of LINKS) symlinkSync(target, toFsPath(`${dir}/${name}`));
  if (!canHaveDevices(`${dir}/null`)) {
    writeFileSync(toFsPath(`${dir}/null`), '');
    chmodSync(toFsPath(`${dir}/null`), 0o666);
    return false;
  }
  for (const [name, major, minor] of DEVICES) makeDevice(`${dir}/${name}`, 'char', major, minor);
  return true;
}

/** Tries it with a null device in that place, which is gone again afterwards. */
function canHaveDevices(file: ByteString): boolean {
  try {
    makeDevice(file, 'char', 1, 3);
    closeSync(openSync(toFsPath(file), 'r'));
    return true;
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES')) return false; // no CAP_MKNOD, or the file system is mounted `nodev`
    throw error;
  } finally {
    rmSync(toFsPath(file), { force: true });
  }
}

/**
 * Whether a RUN that can make device nodes could read disks with them: true unless something (a device cgroup, as every
 * ordinary container has one) refuses to open a block device that nobody allowed, whether there is one or not.
 */
export function devicesAreOpen(scratch: ByteString): boolean {
  const file = `${scratch}/probe`;
  try {
    makeDevice(file, 'block', ...EXPERIMENTAL);
    closeSync(openSync(toFsPath(file), constants.O_RDONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES')) return false;
    if (hasCode(error, 'ENXIO', 'ENODEV', 'ENOMEDIUM', 'EIO', 'EBUSY')) return true;
    throw error;
  } finally {
    rmSync(toFsPath(file), { force: true });
  }
}

/** A block device's number that is for local use. */
const EXPERIMENTAL = [240, 0] as const;

function makeDevice(file: ByteString, type: 'char' | 'block', major: number, minor: number): void {
  mknod(file, type, 0o666, major, minor);
  chmodSync(toFsPath(file), 0o666); // whatever the umask
}
