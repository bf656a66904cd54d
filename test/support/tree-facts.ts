import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { fromBytes, fromText, toFsPath, type ByteString } from '../../src/base/bytes.js';
import { majorOf, minorOf } from '../../src/base/linux/inode.js';
import { lgetxattr } from '../../src/base/linux/xattr.js';
import type { TreeEntry } from './image.js';

const CAPABILITY = 'security.capability';

interface Facts {
  readonly type: string;
  readonly mode: number;
  readonly owner: readonly [uid: number, gid: number];
  readonly mtime: number;
  /** Target of a symlink, numbers of a device, digest of a file. */
  readonly content: string | undefined;
  readonly capability: string | undefined;
  /** What is equal for the names of one file. */
  readonly inode: object | number;
}

/** All that two trees must agree on, a line for each path. Without `owned` owners and capabilities are left out. */
export function treeFacts(tree: ReadonlyMap<ByteString, TreeEntry>, owned = true): readonly string[] {
  const facts = new Map<ByteString, Facts>();
  for (const [path, entry] of tree) if (path !== '') facts.set(path, factsOfEntry(entry));
  return lines(facts, owned);
}

/** The same of a tree on disk. */
export function diskFacts(root: string, owned = true): readonly string[] {
  const facts = new Map<ByteString, Facts>();
  const walk = (dir: ByteString): void => {
    for (const name of readdirSync(toFsPath(fromText(root) + dir), { encoding: 'buffer' })) {
      const path = `${dir}/${fromBytes(name)}`;
      const file = fromText(root) + path;
      const stat = lstatSync(toFsPath(file));
      facts.set(path.slice(1), factsOfFile(file, stat));
      if (stat.isDirectory()) walk(path);
    }
  };
  walk('');
  return lines(facts, owned);
}

function factsOfEntry(entry: TreeEntry): Facts {
  return {
    type: entry.type,
    mode: entry.mode,
    owner: [entry.uid, entry.gid],
    mtime: entry.mtime,
    content:
      entry.type === 'symlink'
        ? entry.linkname
        : entry.type === 'file'
          ? entry.sha256
          : entry.devMajor === undefined
            ? undefined
            : `${entry.devMajor},${entry.devMinor}`,
    capability: entry.xattrs?.get(CAPABILITY)?.toString('hex'),
    inode: entry.inode,
  };
}

function factsOfFile(file: ByteString, stat: Stats): Facts {
  const isDevice = stat.isCharacterDevice() || stat.isBlockDevice();
  return {
    type: typeOf(stat),
    mode: stat.mode & 0o7777,
    owner: [stat.uid, stat.gid],
    mtime: Math.floor(stat.mtimeMs / 1000),
    content: stat.isSymbolicLink()
      ? fromBytes(readlinkSync(toFsPath(file), 'buffer'))
      : stat.isFile()
        ? createHash('sha256')
            .update(readFileSync(toFsPath(file)))
            .digest('hex')
        : isDevice
          ? `${majorOf(stat.rdev)},${minorOf(stat.rdev)}`
          : undefined,
    capability: stat.isFile() ? lgetxattr(file, CAPABILITY)?.toString('hex') : undefined,
    inode: stat.ino,
  };
}

function typeOf(stat: Stats): string {
  if (stat.isDirectory()) return 'dir';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  return stat.isCharacterDevice() ? 'char' : stat.isBlockDevice() ? 'block' : 'file';
}

function lines(facts: ReadonlyMap<ByteString, Facts>, owned: boolean): readonly string[] {
  const first = new Map<object | number, ByteString>();
  return [...facts.keys()].sort().map((path) => {
    const { inode, owner, capability, ...rest } = facts.get(path)!;
    const sameAs = rest.type === 'dir' ? undefined : first.get(inode);
    if (sameAs === undefined) first.set(inode, path);
    const mode = rest.type === 'symlink' ? '' : rest.mode.toString(8);
    return JSON.stringify({ path, ...rest, mode, sameAs, ...(owned && { owner, capability }) });
  });
}
