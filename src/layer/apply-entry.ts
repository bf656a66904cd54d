import { type ByteString, toText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { baseOf, dirOf } from './entry-path.js';
import type { Entry } from './entry.js';
import type { FileNode, MergedTree, TreeNode } from './merged-tree.js';
import type { TocEntry } from './toc.js';
import { type Whiteout, whiteoutOf } from './whiteout.js';

/** What an entry of a layer did to a `MergedTree`. `dirs`: the directories from the root to the one it is in. */
export type Applied =
  /** The root itself: its metadata is not a layer's to set, as in containerd. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'opaque'; readonly dirs: readonly TreeNode[]; readonly hidden: readonly TreeNode[] }
  | {
      readonly kind: 'removed';
      readonly dirs: readonly TreeNode[];
      readonly name: ByteString;
      readonly hidden: readonly TreeNode[];
      /** What the layer itself put there, which stays. */
      readonly kept?: TreeNode;
    }
  | {
      readonly kind: 'placed';
      readonly dirs: readonly TreeNode[];
      readonly node: TreeNode;
      /** What was there before, of an older layer or of this one; the same node for a directory that stays. */
      readonly replaced?: TreeNode;
      /** Hard links: the node whose file got a further name, and the file that it had before. */
      readonly target?: TreeNode;
      readonly targetFile?: FileNode;
    };

/**
 * Lays one entry of layer number `layer` on the tree. Entries come in the order of the layer. Markers of removal mean
 * older layers only, wherever in the layer they stand. Throws BuildError ARCHIVE_INVALID for what no tree can hold.
 */
export function applyEntry(tree: MergedTree, layer: number, entry: Entry, source?: TocEntry): Applied {
  if (entry.path === '') return { kind: 'ignored' };
  const marker = markerOf(entry);
  if (marker.kind === 'invalid') throw invalid(entry, 'a whiteout of no name');
  const { chain, missing } = tree.resolveDir(dirOf(entry.path));
  const dirs = tree.makeDirs(chain, missing, layer);
  const dir = dirs.at(-1)!;
  const hidden: TreeNode[] = [];
  const onHidden = (node: TreeNode): number => hidden.push(node);
  if (marker.kind === 'opaque') {
    tree.hideOlder(dir, layer, onHidden);
    return { kind: 'opaque', dirs, hidden };
  }
  if (marker.kind === 'removed') {
    const kept = tree.remove(dir, marker.name, layer, onHidden);
    return { kind: 'removed', dirs, name: marker.name, hidden, ...(kept && { kept }) };
  }
  const name = baseOf(entry.path);
  const replaced = tree.child(dir, name);
  if (entry.type === 'hardlink') return link(tree, layer, entry, dirs, replaced);
  if (entry.type === 'dir' && replaced?.file.meta.type === 'dir') {
    tree.renew(replaced, metaOf(entry, 'dir'), layer);
    return { kind: 'placed', dirs, node: replaced, replaced };
  }
  const node = tree.put(dir, name, metaOf(entry, entry.type), layer, source);
  return { kind: 'placed', dirs, node, ...(replaced && { replaced }) };
}

/** A character device 0:0 is overlayfs's own marker of removal, and acts as one wherever a layer holds it. */
function markerOf(entry: Entry): Whiteout {
  if (entry.type === 'char' && (entry.devMajor ?? 0) === 0 && (entry.devMinor ?? 0) === 0) {
    return { kind: 'removed', dir: dirOf(entry.path), name: baseOf(entry.path) };
  }
  return whiteoutOf(entry.path);
}

/** As link(2) and then the metadata of the entry, which all names of the file get. */
function link(
  tree: MergedTree,
  layer: number,
  entry: Entry,
  dirs: readonly TreeNode[],
  replaced: TreeNode | undefined,
): Applied {
  const linkname = entry.linkname ?? '';
  const target = tree.resolveLink(linkname);
  if (!target) throw invalid(entry, `a hard link to \`${toText(linkname)}\`, which is not there`);
  if (target.file.meta.type === 'dir') throw invalid(entry, `a hard link to \`${toText(linkname)}\`, a directory`);
  if (target === replaced || (replaced && target.path.startsWith(`${replaced.path}/`))) {
    throw invalid(entry, `a hard link to \`${toText(linkname)}\`, which it replaces`);
  }
  const targetFile = target.file;
  const node = tree.link(dirs.at(-1)!, baseOf(entry.path), target, layer);
  const { mode, uid, gid, mtime } = entry;
  const before = node.file.meta;
  const xattrs = entry.xattrs && new Map([...(before.xattrs ?? []), ...entry.xattrs]);
  node.file.meta = { ...before, mode, uid, gid, mtime, ...(xattrs && { xattrs }) };
  return { kind: 'placed', dirs, node, target, targetFile, ...(replaced && { replaced }) };
}

function metaOf(entry: Entry, type: FileNode['meta']['type']): FileNode['meta'] {
  const { mode, uid, gid, size, mtime, linkname, devMajor, devMinor, xattrs } = entry;
  return {
    type,
    mode,
    uid,
    gid,
    size: type === 'file' ? size : 0,
    mtime,
    ...(linkname !== undefined && { linkname }),
    ...(devMajor !== undefined && { devMajor }),
    ...(devMinor !== undefined && { devMinor }),
    ...(xattrs && { xattrs }),
  };
}

function invalid(entry: Entry, why: string): BuildError {
  return new BuildError('ARCHIVE_INVALID', `invalid layer: entry \`${toText(entry.path.slice(0, 200))}\` is ${why}`);
}
