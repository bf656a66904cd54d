import { fromText, type ByteString } from '../../base/bytes.js';
import { newInode, Overlay, type Inode } from './overlay.js';

export interface SampleFile {
  readonly type?: Inode['type'];
  readonly data?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly to?: string;
  /** A path further up in the list, of which this is another name. */
  readonly sameAs?: string;
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

/** For tests: a file system by path, parents before what is in them; a string is a file, `a/` a directory. */
export function sampleTree(files: Readonly<Record<string, SampleFile | string>>): Overlay {
  const tree = new Overlay({ inputs: [], base: -1, now: 1000 });
  const inodes = new Map<ByteString, Inode>();
  for (const [name, given] of Object.entries(files)) {
    const file = typeof given === 'string' ? { data: given } : given;
    const path = fromText(name.replace(/\/$/, ''));
    const type = file.type ?? (name.endsWith('/') ? 'dir' : file.to === undefined ? 'file' : 'symlink');
    const inode = file.sameAs === undefined ? newInode(type, modeOf(type, file), 0) : inodes.get(file.sameAs)!;
    tree.put(path, inode);
    inodes.set(name, inode);
    if (file.sameAs !== undefined) continue;
    inode.uid = file.uid ?? 0;
    inode.gid = file.gid ?? 0;
    if (type === 'file') {
      const data = Buffer.from(file.data ?? '');
      inode.content = { kind: 'bytes', data };
      inode.size = data.length;
    }
    if (file.to !== undefined) inode.linkname = fromText(file.to);
    if (file.xattrs !== undefined) inode.xattrs = file.xattrs;
  }
  for (const [name, given] of Object.entries(files)) {
    inodes.get(name)!.mtime = (typeof given === 'string' ? undefined : given.mtime) ?? 500;
  }
  return tree;
}

function modeOf(type: Inode['type'], { mode }: SampleFile): number {
  return mode ?? (type === 'symlink' ? 0o777 : type === 'dir' ? 0o755 : 0o644);
}
