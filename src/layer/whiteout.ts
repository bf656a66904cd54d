import type { ByteString } from '../base/bytes.js';
import { baseOf, dirOf, joinPath } from './entry-path.js';
import type { Entry } from './entry.js';

/** OCI image-spec `layer.md`, "Whiteouts". */
const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';

export type Whiteout =
  | { readonly kind: 'none' }
  /** The directory `dir` shows nothing of what is below. */
  | { readonly kind: 'opaque'; readonly dir: ByteString }
  | { readonly kind: 'removed'; readonly dir: ByteString; readonly name: ByteString }
  /** A marker that names its own directory or the one above: hostile, or made by mistake. */
  | { readonly kind: 'invalid' };

/** What the path of an entry of a layer says about what is below. */
export function whiteoutOf(path: ByteString): Whiteout {
  const base = baseOf(path);
  if (!base.startsWith(PREFIX)) return { kind: 'none' };
  const dir = dirOf(path);
  if (base === OPAQUE) return { kind: 'opaque', dir };
  const name = base.slice(PREFIX.length);
  if (name === '' || name === '.' || name === '..') return { kind: 'invalid' };
  return { kind: 'removed', dir, name };
}

/** The entry that marks `path` as removed, as containerd writes it: an empty file of mode 0 from 1970. */
export function whiteoutEntry(path: ByteString): Entry {
  return marker(whiteoutName(path));
}

/** The entry that makes a directory opaque. */
export function opaqueEntry(dir: ByteString): Entry {
  return marker(opaqueName(dir));
}

/** The name that says that `path` is removed. */
export function whiteoutName(path: ByteString): ByteString {
  return joinPath(dirOf(path), PREFIX + baseOf(path));
}

/** The name that says that a directory is opaque. */
export function opaqueName(dir: ByteString): ByteString {
  return joinPath(dir, OPAQUE);
}

function marker(path: ByteString): Entry {
  return { path, type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 };
}
