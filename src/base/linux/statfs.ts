import { statfsSync } from 'node:fs';
import { type ByteString, toFsPath } from '../bytes.js';

const MAGIC: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x794c7630, 'overlay'],
  [0x2fc12fc1, 'zfs'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0xf15f, 'ecryptfs'],
  [0x2011bab0, 'exfat'],
  [0x4d44, 'vfat'],
  [0x63677270, 'cgroup2'],
  [0x27e0eb, 'cgroup'],
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
]);

/** Kind of the file system that holds `path`: a name where it is a known one, otherwise its magic number as `0x...`. */
export function fileSystemType(path: ByteString): string {
  const magic = statfsSync(toFsPath(path)).type;
  return MAGIC.get(magic) ?? `0x${magic.toString(16)}`;
}
