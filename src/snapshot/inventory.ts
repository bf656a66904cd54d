import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { lgetxattr } from '../base/linux/xattr.js';
import { CAPABILITY } from './same-entry.js';
import { statEntry } from './tree-entry.js';
import type { TreeEntry } from './types.js';

/** The numbers of stat(2) that are kept of each name, all as 64 bits. */
const FIELDS = [
  'ino',
  'birthtimeNs',
  'ctimeNs',
  'mode',
  'nlink',
  'uid',
  'gid',
  'rdev',
  'size',
  'mtimeNs',
] as const satisfies readonly (keyof BigIntStats)[];

/** What an inventory knows of a name by stat(2). */
export type Facts = Readonly<Record<(typeof FIELDS)[number], bigint>>;

/** What stat(2) does not say. */
interface Extras {
  readonly linkname?: ByteString;
  readonly capability?: Buffer;
}

interface Directory {
  /** In byte order. */
  readonly names: readonly ByteString[];
  /** A row for each name: `FIELDS`, and whether the time of the last change proves anything. */
  readonly rows: BigInt64Array;
}

const S_IFMT = 0o170000n;
const S_IFDIR = 0o040000n;
const S_IFLNK = 0o120000n;

/** Longer than between two ticks of the clock that file systems take their times from. */
const SETTLING_NS = 100_000_000n;

/**
 * What a tree held at one moment: of every name what decides whether it is changed later (`compareEntries`), and what
 * proves without a look that it is not: inode and the time of its last change, which no process can set. About 150 bytes
 * a name. Nothing may change the tree while it is taken.
 */
export class Inventory {
  readonly #directories = new Map<ByteString, Directory>();
  readonly #extras = new Map<ByteString, Extras>();

  /** Names in a directory in byte order; undefined when there was no directory. */
  list(dir: ByteString): readonly ByteString[] | undefined {
    return this.#directories.get(dir)?.names;
  }

  facts(path: ByteString): Facts | undefined {
    const found = this.#find(path);
    if (!found) return undefined;
    const values = FIELDS.map((name, i) => [name, found.rows[found.at + i]]);
    return Object.fromEntries(values) as Facts;
  }

  /** In the form of `readTreeEntry`, of attributes the file capability only; undefined for sockets too. */
  entry(path: ByteString): Omit<TreeEntry, 'inode'> | undefined {
    const facts = this.facts(path);
    const entry = facts && statEntry(facts, path);
    if (!entry) return undefined;
    const { linkname, capability } = this.#extras.get(path) ?? {};
    return {
      ...entry,
      ...(linkname !== undefined && { linkname }),
      ...(capability && { xattrs: new Map([[CAPABILITY, capability]]) }),
    };
  }

  /** The names of files that have several, by file. */
  linked(): readonly (readonly ByteString[])[] {
    const names = new Map<bigint, ByteString[]>();
    for (const [dir, { names: here, rows }] of this.#directories) {
      here.forEach((name, i) => {
        const row = i * WIDTH;
        if ((rows[row + COLUMN.mode]! & S_IFMT) === S_IFDIR || rows[row + COLUMN.nlink]! <= 1n) return;
        const inode = rows[row + COLUMN.ino]!;
        names.set(inode, [...(names.get(inode) ?? []), joinName(dir, name)]);
      });
    }
    return [...names.values()];
  }

  /** Begins to note what a directory holds: `names` in byte order, of which each is to be given to `note`. */
  open(dir: ByteString, names: readonly ByteString[]): void {
    this.#directories.set(dir, { names, rows: new BigInt64Array(names.length * WIDTH) });
  }

  /**
   * Notes what stands under a name of an open directory, by the answer of `lstat`; also once more, when it has changed.
   * Of what is unchanged since `before` was taken, that says what would have to be looked up below `root`.
   */
  note(root: ByteString, path: ByteString, stat: BigIntStats, before?: Inventory): void {
    const found = this.#find(path);
    if (!found) throw new Error('a name that is not in the inventory');
    FIELDS.forEach((name, i) => (found.rows[found.at + i] = stat[name]));
    // Within one tick of the clock a file can change twice and keep the time of the first.
    const settled = BigInt(Date.now()) * 1_000_000n - SETTLING_NS;
    found.rows[found.at + SETTLED] = stat.ctimeNs > settled ? 0n : 1n;
    const extras = before?.isProven(path, stat) ? before.#extras.get(path) : readExtras(`${root}/${path}`, stat);
    if (extras) this.#extras.set(path, extras);
    else this.#extras.delete(path);
  }

  /** True if the object cannot have changed since: content, metadata and attributes, but not what a directory holds. */
  isProven(path: ByteString, stat: BigIntStats): boolean {
    const found = this.#find(path);
    return found !== undefined && found.rows[found.at + SETTLED] === 1n && !this.isTouched(path, stat);
  }

  /** True if something was done to the object since, even if that changed nothing; for a directory, to the names in it too. */
  isTouched(path: ByteString, stat: BigIntStats): boolean {
    const found = this.#find(path);
    return !found || TOUCHED.some((name) => found.rows[found.at + COLUMN[name]] !== BigInt.asIntN(64, stat[name]));
  }

  #find(path: ByteString): { readonly rows: BigInt64Array; readonly at: number } | undefined {
    const slash = path.lastIndexOf('/');
    const dir = this.#directories.get(slash < 0 ? '' : path.slice(0, slash));
    const index = dir ? indexOf(dir.names, path.slice(slash + 1)) : -1;
    return dir && index >= 0 ? { rows: dir.rows, at: index * WIDTH } : undefined;
  }
}

const COLUMN = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<(typeof FIELDS)[number], number>;

const WIDTH = FIELDS.length + 1;
const SETTLED = FIELDS.length;
/** What cannot stay when an object is touched; the first would do. */
const TOUCHED = ['ctimeNs', 'ino', 'mode', 'size', 'mtimeNs'] as const;

/**
 * Walks the directory `root`, absolute and without a trailing slash. Follows no link. What is unchanged since `before` was
 * taken of the same tree is faster.
 */
export function takeInventory(root: ByteString, { signal }: Cancel, before?: Inventory): Inventory {
  const inventory = new Inventory();
  const walk = (dir: ByteString): void => {
    signal.throwIfAborted();
    const names = namesIn(root, dir);
    inventory.open(dir, names);
    for (const name of names) {
      const path = joinName(dir, name);
      const stat = lstatSync(toFsPath(`${root}/${path}`), { bigint: true });
      inventory.note(root, path, stat, before);
      if (stat.isDirectory()) walk(path);
    }
  };
  walk('');
  return inventory;
}

/** In byte order. */
export function namesIn(root: ByteString, dir: ByteString): readonly ByteString[] {
  return readdirSync(toFsPath(dir === '' ? root : `${root}/${dir}`), 'latin1').sort();
}

export function joinName(dir: ByteString, name: ByteString): ByteString {
  return dir === '' ? name : `${dir}/${name}`;
}

function readExtras(fullPath: ByteString, stat: BigIntStats): Extras | undefined {
  const linkname = (stat.mode & S_IFMT) === S_IFLNK ? readlinkSync(toFsPath(fullPath), 'latin1') : undefined;
  const capability = lgetxattr(fullPath, CAPABILITY);
  if (linkname === undefined && capability === undefined) return undefined;
  return { ...(linkname !== undefined && { linkname }), ...(capability && { capability }) };
}

function indexOf(names: readonly ByteString[], name: ByteString): number {
  let [low, high] = [0, names.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const one = names[middle]!;
    if (one === name) return middle;
    if (one < name) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
