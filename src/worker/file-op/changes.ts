import { compareBytes, type ByteString } from '../../base/bytes.js';
import type { Entry } from '../../layer/entry.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Change } from './change-set.js';
import { digestContent, viewContent } from './content.js';
import { copyOptional, type Inode, type Overlay, OverlayDir, type OverlayNode } from './overlay.js';
import { joinPath, parentOf } from './paths.js';

/** How the overlay differs from its base, as `ChangeSet.changes` has it. */
export async function collectChanges(overlay: Overlay): Promise<ReadonlyMap<ByteString, Change>> {
  const found = new Collector(overlay);
  await found.walk('', overlay.root);
  return found.changes;
}

class Collector {
  readonly changes = new Map<ByteString, Change>();
  readonly #overlay: Overlay;
  readonly #base: RefView | undefined;
  readonly #linkNames = new Map<Inode, ByteString>();

  constructor(overlay: Overlay) {
    this.#overlay = overlay;
    this.#base = overlay.base;
  }

  async walk(path: ByteString, dir: OverlayDir): Promise<void> {
    // A directory in the place of another one hides all of its names; only then do names count that it does not have.
    const lost = dir.overBase ? [] : (this.#base?.list(path) ?? []);
    const names = lost.length === 0 ? [...dir.children.keys()] : [...new Set([...dir.children.keys(), ...lost])];
    for (const name of names.sort(compareBytes)) {
      const below = this.#visit(joinPath(path, name), dir.children.get(name) ?? 'removed');
      if (below !== undefined) await below; // only where something is to wait for: there are many files
    }
  }

  #visit(path: ByteString, node: OverlayNode): Promise<void> | undefined {
    const before = this.#base?.lstat(path);
    if (node === 'removed') {
      if (before !== undefined) this.#add(path, { kind: 'removed', path });
      return undefined;
    }
    if (node instanceof OverlayDir) {
      if (before === undefined || !sameHead(before, node.inode)) {
        this.#add(path, { kind: 'present', entry: entryOf(path, node.inode) });
      }
      return this.walk(path, node);
    }
    if (before !== undefined && looksSame(before, node)) return this.#addUnlessSame(path, before, node);
    this.#add(path, this.#changeOf(path, node));
    return undefined;
  }

  #changeOf(path: ByteString, inode: Inode): Change {
    if (inode.names > 1) {
      const first = this.#linkNames.get(inode);
      if (first !== undefined) {
        return { kind: 'present', entry: { ...entryOf(path, inode), type: 'hardlink', size: 0, linkname: first } };
      }
      this.#linkNames.set(inode, path);
    }
    const entry = entryOf(path, inode);
    if (inode.type !== 'file') return { kind: 'present', entry };
    return { kind: 'present', entry, content: inode.content ?? { kind: 'bytes', data: Buffer.alloc(0) } };
  }

  #add(path: ByteString, change: Change): void {
    this.#addParents(parentOf(path));
    this.changes.set(path, change);
  }

  #addParents(path: ByteString): void {
    if (path === '' || this.changes.has(path)) return;
    this.#addParents(parentOf(path));
    const entry = this.#overlay.lstat(path)!;
    this.changes.set(path, { kind: 'present', entry: entryOf(path, entry) });
  }

  async #addUnlessSame(path: ByteString, before: ViewEntry, after: Inode): Promise<void> {
    const { inputs, base } = this.#overlay.options;
    const { content } = after;
    if (content !== undefined && after.size > 0) {
      const isUntouched = content.kind === 'view' && content.input === base && content.path === path;
      const old = viewContent(inputs, base, path, before.size);
      if (!isUntouched && (await digestContent(old, inputs)) !== (await digestContent(content, inputs))) {
        this.#add(path, this.#changeOf(path, after));
      }
    }
  }
}

/**
 * BuildKit leaves out what has the same mode, owner, size and time to the nanosecond. There are only seconds here, so
 * that the content has to be compared as well.
 */
function looksSame(before: ViewEntry, after: Inode): boolean {
  if (!sameHead(before, after) || before.size !== after.size || before.mtime !== after.mtime) return false;
  return after.type !== 'symlink' || before.linkname === after.linkname;
}

const CAPABILITY = 'security.capability';

function sameHead(before: ViewEntry, after: Inode): boolean {
  if (before.type !== after.type || before.mode !== after.mode) return false;
  if (before.uid !== after.uid || before.gid !== after.gid) return false;
  if ((before.devMajor ?? 0) !== (after.devMajor ?? 0) || (before.devMinor ?? 0) !== (after.devMinor ?? 0))
    return false;
  const old = before.xattrs?.get(CAPABILITY);
  const now = after.xattrs?.get(CAPABILITY);
  return old === undefined || now === undefined ? old === now : old.equals(now);
}

function entryOf(path: ByteString, from: ViewEntry | Inode): Entry {
  const { type, mode, uid, gid, size, mtime } = from;
  const entry: { -readonly [K in keyof Entry]: Entry[K] } = { path, type, mode, uid, gid, size, mtime };
  copyOptional(from, entry);
  return entry;
}
