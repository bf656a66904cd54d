import { toText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView } from '../../layer/ref-view.js';
import type { ArchiveMember } from './archive.js';
import { makeDirs } from './make-dirs.js';
import { newInode, type Inode, type Overlay } from './overlay.js';
import type { UserIds } from './owner.js';
import { baseOf, joinPath, parentOf, shown } from './paths.js';
import { resolveLinks } from './resolve-links.js';

/**
 * Unpacks an archive into the directory `dest` as Docker's archiver does, with `dest` as its root: no name and no link
 * leads out of it. Members keep mode and time, and their owner unless `owner` is given. What exists is replaced,
 * directories are merged.
 */
export function unpackMembers(
  members: readonly ArchiveMember[],
  overlay: Overlay,
  dest: ByteString,
  owner: UserIds | undefined,
): void {
  const root = { lstat: (path: ByteString) => overlay.lstat(joinPath(dest, path)) };
  const dirs: { readonly path: ByteString; readonly mtime: number }[] = [];
  for (const { entry, content } of members) {
    if (entry.path === '') continue; // the archive's own root
    const parent = resolveLinks(root, parentOf(entry.path));
    if (root.lstat(parent) === undefined) refuseDangling(root, entry);
    makeDirs(overlay, joinPath(dest, parent), { mode: 0o755, owner: { uid: 0, gid: 0 }, mtime: undefined });
    const path = joinPath(dest, joinPath(parent, baseOf(entry.path)));
    const there = overlay.lstat(path);
    if (there !== undefined && !(there.type === 'dir' && entry.type === 'dir')) overlay.remove(path);
    let inode: Inode | undefined;
    if (entry.type === 'hardlink') {
      const target = joinPath(dest, resolveLinks(root, entry.linkname!, false));
      inode = overlay.lstat(target)?.type === 'dir' ? undefined : overlay.change(target);
      if (inode === undefined) {
        const reason = overlay.lstat(target) === undefined ? 'no such file or directory' : 'operation not permitted';
        throw new BuildError('ARCHIVE_INVALID', `link ${shown(entry.linkname!)} ${shown(entry.path)}: ${reason}`);
      }
      overlay.put(path, inode);
    } else if (overlay.lstat(path) === undefined) {
      inode = newInode(entry.type, entry.mode, entry.mtime);
      inode.size = entry.size;
      if (content !== undefined) inode.content = content;
      if (entry.linkname !== undefined) inode.linkname = entry.linkname;
      if (entry.devMajor !== undefined) inode.devMajor = entry.devMajor;
      if (entry.devMinor !== undefined) inode.devMinor = entry.devMinor;
      overlay.put(path, inode);
    } else {
      inode = overlay.change(path)!;
    }
    inode.uid = owner?.uid ?? entry.uid;
    inode.gid = owner?.gid ?? entry.gid;
    if (entry.xattrs !== undefined) inode.xattrs = new Map([...(inode.xattrs ?? []), ...entry.xattrs]);
    inode.mode = inode.type === 'symlink' ? 0o777 : entry.mode;
    inode.mtime = Math.max(0, entry.mtime);
    if (entry.type === 'dir') dirs.push({ path, mtime: inode.mtime });
  }
  // What came into a directory later has changed its time.
  for (const { path, mtime } of dirs) {
    const inode = overlay.change(path);
    if (inode !== undefined) inode.mtime = mtime;
  }
}

/** A link to nothing is no directory to put something into. */
function refuseDangling(root: Pick<RefView, 'lstat'>, { path, type, linkname }: ArchiveMember['entry']): void {
  const dir = parentOf(path);
  const names = dir.split('/');
  for (const n of names.keys()) {
    const prefix = names.slice(0, n + 1).join('/');
    if (root.lstat(resolveLinks(root, prefix, false))?.type !== 'symlink') continue;
    if (root.lstat(resolveLinks(root, prefix)) !== undefined) continue;
    if (prefix !== dir) throw new BuildError('ARCHIVE_INVALID', `mkdir ${shown(prefix)}: file exists`);
    const place = shown(path);
    const attempts = {
      file: `open ${place}: `,
      dir: `mkdir ${place}: `,
      symlink: `symlink ${toText(linkname ?? '')} ${place}: `,
    };
    const attempt = Object.hasOwn(attempts, type) ? attempts[type as keyof typeof attempts] : '';
    throw new BuildError('ARCHIVE_INVALID', `${attempt}no such file or directory`);
  }
}
