import type { ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { newInode, type Overlay } from './overlay.js';
import type { UserIds } from './owner.js';
import { joinPath, parentOf, shown } from './paths.js';

export interface NewDirs {
  /** Permission bits, without setuid, setgid and sticky. */
  readonly mode: number;
  readonly owner: UserIds | undefined;
  /** Seconds; undefined for the time of the op. */
  readonly mtime: number | undefined;
}

/** Makes the directory at `path`, whose links are resolved, and those above it; gives the ones that it made. */
export function makeDirs(overlay: Overlay, path: ByteString, options: NewDirs): readonly ByteString[] {
  const made: ByteString[] = [];
  let at = '';
  for (const name of path === '' ? [] : path.split('/')) {
    at = joinPath(at, name);
    const entry = overlay.lstat(at);
    if (entry === undefined) {
      makeDir(overlay, at, options);
      made.push(at);
    } else if (entry.type !== 'dir') {
      throw new BuildError('COPY_FAILED', `mkdir ${shown(at)}: not a directory`);
    }
  }
  return made;
}

/** Makes one directory where nothing is. As in a kernel, a setgid parent passes on its group and the bit. */
export function makeDir(overlay: Overlay, path: ByteString, options: NewDirs): void {
  const parent = overlay.lstat(parentOf(path));
  const inherits = ((parent?.mode ?? 0) & 0o2000) !== 0;
  const inode = newInode('dir', (options.mode & 0o777) | (inherits ? 0o2000 : 0), overlay.options.now);
  if (options.owner !== undefined) {
    inode.uid = options.owner.uid;
    inode.gid = options.owner.gid;
  } else if (inherits) {
    inode.gid = parent!.gid;
  }
  overlay.put(path, inode);
  if (options.mtime !== undefined) inode.mtime = options.mtime;
}
