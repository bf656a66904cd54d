import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fromText, toText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { MNT_DETACH, bindMount, unmount } from '../../base/linux/mount.js';
import { openInRoot } from '../../snapshot/open-in-root.js';
import { resolveInRoot } from '../../snapshot/resolve-in-root.js';

/**
 * What `selector` leads to in the file system at `root`, mounted in `dir`, which only this process can write to. A
 * runtime looks a source up again by its path: with a path into a cache that is shared, another RUN could meanwhile have
 * put a link to the machine's files there. What takes the mount down is put into `closers`. Throws PATH_NOT_FOUND.
 */
export function pinSource(
  root: string,
  selector: string,
  readonly: boolean,
  dir: string,
  closers: (() => void)[],
): string {
  const fd = openInRoot(fromText(root), fromText(selector));
  if (fd === undefined) throw new BuildError('PATH_NOT_FOUND', `"${selector}": not found`);
  try {
    const point = path.join(dir, randomBytes(8).toString('hex'));
    if (fstatSync(fd).isDirectory()) mkdirSync(point);
    else writeFileSync(point, '', { flag: 'wx' });
    bindMount(`/proc/self/fd/${fd}`, fromText(point), { readonly, nodev: true });
    closers.push(() => unmount(fromText(point), MNT_DETACH));
    return point;
  } finally {
    closeSync(fd);
  }
}

/** The same without a mount: a path, which leads there as long as nobody changes the file system at `root`. */
export function sourceWithin(root: string, selector: string): string {
  const source = path.join(root, toText(resolveInRoot(fromText(root), fromText(selector))));
  if (!existsSync(source)) throw new BuildError('PATH_NOT_FOUND', `"${selector}": not found`);
  return source;
}
