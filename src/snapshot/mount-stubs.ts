import { chmodSync, lstatSync, mkdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { lutimesNs } from '../base/linux/inode.js';
import { lstatIfThere } from '../base/lstat.js';
import { resolveInRoot } from './resolve-in-root.js';

export interface MountPoint {
  /** Inside the tree; links in it are followed inside the tree. */
  readonly path: ByteString;
  readonly type: 'dir' | 'file';
  /** Of a directory that is made for this; 0755 unless given. */
  readonly mode?: number;
}

export interface MountStubs {
  /**
   * Removes what was made, unless something has been put there since. The directories above keep the times that they
   * have by then, as with BuildKit: those of the making of the stub, or of a later change.
   */
  remove(): void;
}

interface Stub extends MountPoint {
  readonly parent: ByteString;
}

/**
 * Makes the mount points that `root` lacks, and the directories above them (0:0, 0755), so that mounts leave no trace in
 * the layer: whoever mounts calls `remove` when the mounts are gone. Throws RUN_FAILED if a file is in the way.
 */
export function makeMountStubs(root: ByteString, points: readonly MountPoint[]): MountStubs {
  const made: Stub[] = [];
  try {
    for (const point of points) makeStub(root, point, points, made);
  } catch (error) {
    removeStubs(root, made);
    throw error;
  }
  return { remove: () => removeStubs(root, made) };
}

function makeStub(root: ByteString, point: MountPoint, points: readonly MountPoint[], made: Stub[]): void {
  const resolved = resolveInRoot(root, point.path);
  const names = resolved.split('/');
  let parent = root;
  for (const [index, name] of names.entries()) {
    const path = `${parent}/${name}`;
    const last = index === names.length - 1;
    const type = last ? point.type : 'dir';
    const there = name === '' ? undefined : lstatIfThere(path);
    if (there && type === 'dir' && !there.isDirectory()) {
      // Behind another mount it is not what the process sees: there the runtime makes what is missing.
      if (points.some((other) => resolved.startsWith(`${resolveInRoot(root, other.path)}/`))) return;
      const file = toText(path.slice(root.length));
      const wanted = toText(point.path).replace(/^\/*/, '/');
      throw new BuildError('RUN_FAILED', `cannot mount on "${wanted}": "${file}" is not a directory`);
    }
    if (name !== '' && !there) {
      if (type === 'dir') mkdirSync(toFsPath(path), { mode: 0o755 });
      else writeFileSync(toFsPath(path), '', { flag: 'wx', mode: 0o755 });
      if (last && point.mode !== undefined) chmodSync(toFsPath(path), point.mode);
      made.push({ path, type, parent });
    }
    parent = path;
  }
}

function removeStubs(root: ByteString, made: readonly Stub[]): void {
  for (const stub of made.toReversed()) {
    if (!isStillInside(root, stub.parent)) continue;
    const parent = lstatSync(toFsPath(stub.parent), { bigint: true });
    if (removeStub(stub)) lutimesNs(stub.parent, parent.atimeNs, parent.mtimeNs);
  }
}

/** What ran meanwhile may have put a link in the place of a directory: behind it lie files of the machine. */
function isStillInside(root: ByteString, dir: ByteString): boolean {
  let at = root;
  for (const name of dir.slice(root.length + 1).split('/')) {
    if (name !== '') at = `${at}/${name}`;
    if (!lstatSync(toFsPath(at), { throwIfNoEntry: false })?.isDirectory()) return false;
  }
  return true;
}

function removeStub({ path, type }: MountPoint): boolean {
  const stat = lstatSync(toFsPath(path), { throwIfNoEntry: false });
  if (!stat) return false;
  try {
    if (type === 'dir' && stat.isDirectory()) rmdirSync(toFsPath(path));
    else if (type === 'file' && stat.isFile() && stat.size === 0) unlinkSync(toFsPath(path));
    else return false;
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}
