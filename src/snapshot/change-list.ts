import type { ByteString } from '../base/bytes.js';
import { readTreeEntry } from './tree-entry.js';
import type { Change, ChangeEntry, TreeEntry } from './types.js';

/**
 * Collects changes in the order of a tree walk: puts the directories above a change before it, and makes the later
 * names of a file hard links to the first one that is listed.
 */
export class ChangeList {
  readonly #root: ByteString;
  readonly #changes: Change[] = [];
  readonly #directories = new Set<ByteString>(['']);
  readonly #entered = new Map<ByteString, TreeEntry>();
  /** Path under which the file is listed, by inode. */
  readonly #listed = new Map<number | string, ByteString>();
  /** Names that are unchanged, of files of which no name is listed so far. */
  readonly #kept = new Map<number | string, TreeEntry[]>();

  constructor(root: ByteString) {
    this.#root = root;
  }

  /** How many there are so far. */
  get count(): number {
    return this.#changes.length;
  }

  /** Tells of a directory before the changes in it, where the disk alone does not say what it is. */
  enter(dir: TreeEntry): void {
    this.#entered.set(dir.path, dir);
  }

  /** A new or changed object. */
  add(entry: TreeEntry): void {
    this.#parents(entry.path);
    if (entry.type === 'dir') this.#directories.add(entry.path);
    const first = entry.inode === undefined ? undefined : this.#listed.get(entry.inode);
    this.#push(first === undefined ? entry : linkTo(first, entry), entry.path);
    if (entry.inode === undefined || first !== undefined) return;
    this.#listed.set(entry.inode, entry.path);
    for (const kept of this.#kept.get(entry.inode) ?? []) this.#link(entry.path, kept);
    this.#kept.delete(entry.inode);
  }

  /**
   * An object of a rebuilt directory that is as below. It is listed only as a further name of a file that is listed:
   * its other name has changed, and the two must stay one file.
   */
  keep(entry: TreeEntry): void {
    if (entry.inode === undefined) return;
    const first = this.#listed.get(entry.inode);
    if (first !== undefined) this.#link(first, entry);
    else this.#kept.set(entry.inode, [...(this.#kept.get(entry.inode) ?? []), entry]);
  }

  remove(path: ByteString): void {
    this.#parents(path);
    this.#changes.push({ kind: 'removed', path });
  }

  finish(): readonly Change[] {
    return this.#changes;
  }

  #link(first: ByteString, entry: TreeEntry): void {
    this.#parents(entry.path);
    this.#push(linkTo(first, entry), entry.path);
  }

  #parents(path: ByteString): void {
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? '' : path.slice(0, slash);
    if (this.#directories.has(parent)) return;
    this.#parents(parent);
    const entry = this.#entered.get(parent) ?? readTreeEntry(`${this.#root}/${parent}`, parent);
    if (entry?.type !== 'dir') throw new Error(`not a directory: ${parent}`);
    this.#directories.add(parent);
    this.#push(entry, parent);
  }

  #push(entry: ChangeEntry, path: ByteString): void {
    this.#changes.push({ kind: 'present', entry, contentPath: `${this.#root}/${path}` });
  }
}

function linkTo(first: ByteString, entry: TreeEntry): ChangeEntry {
  return { ...entry, type: 'hardlink', linkname: first, size: 0 };
}
