import { existsSync } from 'node:fs';
import { fromText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { MNT_DETACH, MS, bindMount, mount, unmount } from '../base/linux/mount.js';

export interface OverlayOptions {
  /**
   * Directory that `lowers`, `upper`, `work` and `target` are relative to. Short names below it let more trees into the
   * one page that the kernel takes.
   */
  readonly dir: string;
  /** True in a user namespace, where overlayfs may only keep its marks in `user.overlay.*`. */
  readonly userxattr: boolean;
}

export interface ActiveOptions extends OverlayOptions {
  /** Skips the write-back of the whole file system at unmount; a power cut may then leave holes in the upper tree. */
  readonly volatile?: boolean;
}

/** Bytes of options that mount(2) takes, its closing NUL left out. */
const PAGE = 4095;
/** OVL_MAX_STACK of the kernel. */
const MAX_STACK = 500;

/** How many lower trees with names of `nameBytes` bytes one overlay can stack, whatever else its options say. */
export function maxLowers(nameBytes: number): number {
  return Math.min(MAX_STACK, Math.floor((PAGE - 300) / (nameBytes + 1)));
}

/** Mounts trees, lowest first, read-only and without devices at `target`. One tree alone is a bind mount. */
export function mountView(lowers: readonly string[], target: string, opts: OverlayOptions): void {
  const [only] = lowers;
  if (only === undefined) throw new Error('an overlay needs at least one tree');
  if (lowers.length === 1) {
    bindMount(fromText(absolute(opts.dir, only)), fromText(absolute(opts.dir, target)), {
      readonly: true,
      nodev: true,
    });
    return;
  }
  mountOverlay([`lowerdir=${stack(lowers)}`], target, opts, MS.RDONLY | MS.NODEV);
}

/**
 * Mounts trees, lowest first, at `target` with `upper` on top, which takes every change. `upper` and `work` are empty
 * directories of one file system. Without lowers, `upper` itself appears at `target`.
 */
export function mountActive(
  lowers: readonly string[],
  upper: string,
  work: string,
  target: string,
  opts: ActiveOptions,
): void {
  if (lowers.length === 0) {
    bindMount(fromText(absolute(opts.dir, upper)), fromText(absolute(opts.dir, target)), { nodev: true });
    return;
  }
  const parts = [`lowerdir=${stack(lowers)}`, `upperdir=${plain(upper)}`, `workdir=${plain(work)}`];
  mountOverlay([...parts, ...(opts.volatile === true ? ['volatile'] : [])], target, opts, MS.NODEV);
}

/** Takes a view or an active mount away, at once from all names, even if something still reads in it. */
export function unmountTree(target: string): void {
  unmount(fromText(target), MNT_DETACH);
}

function mountOverlay(parts: readonly string[], target: string, opts: OverlayOptions, flags: number): void {
  const data = [...parts, ...(opts.userxattr ? ['userxattr'] : kernelDefaults())].join(',');
  if (Buffer.byteLength(data) > PAGE) {
    throw new BuildError('ISOLATION_UNAVAILABLE', `too many trees for one overlay: ${data.length} bytes of options`, {
      hint: 'flatten the lowest trees into one first',
    });
  }
  mount({ source: 'overlay', target: fromText(target), type: 'overlay', flags, data, cwd: fromText(opts.dir) });
}

let defaults: readonly string[] | undefined;

/**
 * Features that a kernel may have on by default, switched off: their marks in an upper tree (redirects, copied-up
 * metadata without content, an index of hard links) are facts about one mount and not about the tree.
 */
function kernelDefaults(): readonly string[] {
  defaults ??= ['redirect_dir', 'index', 'metacopy']
    .filter((name) => existsSync(`/sys/module/overlay/parameters/${name}`))
    .map((name) => `${name}=off`);
  return defaults;
}

/** overlayfs wants the uppermost first. */
function stack(lowers: readonly string[]): string {
  return lowers.map(plain).reverse().join(':');
}

/** Names are Slipway's own, so that one which would need escaping is a bug. */
function plain(name: string): string {
  if (!/^[A-Za-z0-9_./+-]+$/.test(name)) throw new Error(`not a plain name for an overlay: ${name}`);
  return name;
}

function absolute(dir: string, name: string): string {
  return name.startsWith('/') ? name : `${dir}/${name}`;
}
