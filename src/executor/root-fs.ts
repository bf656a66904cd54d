import { chmodSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { type ByteString, fromText, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { MNT_DETACH, bindMount, setMountAttributes, unmount } from '../base/linux/mount.js';
import { lstatIfThere } from '../base/lstat.js';
import type { MountPoint } from '../snapshot/mount-stubs.js';
import { resolveInRoot } from '../snapshot/resolve-in-root.js';
import type { RunSpec } from './types.js';

/** Makes sure that no device node in the root can be opened; gives back what undoes it. */
export function forbidDevices(root: ByteString): () => void {
  try {
    setMountAttributes(root, { nodev: true });
    return () => undefined;
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error; // EINVAL: a directory that nothing is mounted on
  }
  bindMount(root, root, { nodev: true });
  return () => unmount(root, MNT_DETACH);
}

/**
 * Makes the working directory where it is missing; gives the clean path that it leads to. Throws RUN_FAILED if a file is
 * in the way.
 */
export function makeCwd(root: ByteString, cwd: ByteString): ByteString {
  const resolved = resolveInRoot(root, cwd);
  let dir = root;
  for (const name of resolved === '' ? [] : resolved.split('/')) {
    dir = `${dir}/${name}`;
    makeMissing(dir);
    if (lstatSync(toFsPath(dir)).isDirectory()) continue;
    const file = toText(dir.slice(root.length));
    throw new BuildError(
      'RUN_FAILED',
      `working dir ${toText(cwd)} points to invalid target: ${file} is not a directory`,
    );
  }
  return resolved;
}

/** What a runtime mounts on and leaves in the root for good. Made here, because runtimes differ in the mode. */
export function makeSystemDirs(root: ByteString): void {
  for (const name of ['dev', 'proc', 'sys']) makeMissing(`${root}/${name}`);
}

function makeMissing(dir: ByteString): void {
  if (lstatSync(toFsPath(dir), { throwIfNoEntry: false })) return;
  mkdirSync(toFsPath(dir));
  chmodSync(toFsPath(dir), 0o755); // whatever the umask
}

/** What is made for the time of the run. */
export function mountPoints(spec: RunSpec): readonly MountPoint[] {
  const targets = spec.mounts.map((wanted): MountPoint => {
    const path = fromText(wanted.target);
    if (wanted.type === 'tmpfs') return { path, type: 'dir', mode: TMPFS_MODE };
    return { path, type: statSync(wanted.source).isDirectory() ? 'dir' : 'file' };
  });
  const own = targets.filter(({ path }) => !/^\/*(dev|proc|sys)(\/|$)/.test(path));
  return [{ path: 'etc/resolv.conf', type: 'file' }, { path: 'etc/hosts', type: 'file' }, ...own];
}

const TMPFS_MODE = 0o1777;

/** To be read before mount points are made. */
export function tmpfsModes(root: ByteString, spec: RunSpec): ReadonlyMap<string, number> {
  const modes = new Map<string, number>();
  for (const { type, target } of spec.mounts) {
    if (type !== 'tmpfs') continue;
    const stat = lstatIfThere(`${root}/${resolveInRoot(root, fromText(target))}`);
    modes.set(target, stat ? stat.mode & 0o7777 : TMPFS_MODE);
  }
  return modes;
}
