import { createHash } from 'node:crypto';
import { createReadStream, lstatSync } from 'node:fs';
import { toFsPath, toText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { recordedOwner, type Owner } from '../../base/linux/recorded-owner.js';
import { dirOf } from '../../layer/entry-path.js';
import type { RefView } from '../../layer/ref-view.js';
import type { Toc, TocEntry } from '../../layer/toc.js';
import type { UpperOwners } from '../../snapshot/overlay-diff.js';
import type { TreeEntry } from '../../snapshot/types.js';
import { hintForMoreIds } from '../isolation/id-maps.js';

const ROOT: Owner = { uid: 0, gid: 0 };
const SETGID = 0o2000;

/**
 * The owners in an upper tree of a user namespace with a single id, where everything on disk is 0:0. A file or directory
 * that was copied up or moved has a record beside it; links and the like are found again below; what is new is 0:0.
 *
 * What a process did to the owner of something of others shows nowhere: to change it to 0:0 is nothing to the kernel, and
 * a program that keeps owners (`cp -p`, `sed -i`) sees 0:0. So where an upper tree has what such a process would leave,
 * this throws ISOLATION_UNAVAILABLE instead of guessing.
 */
export class RecordedOwners implements UpperOwners {
  readonly #lower: Pick<RefView, 'lstat'>;
  /** What a program may have copied, by what it copies of it. */
  readonly #twins = new Map<string, TocEntry[]>();
  readonly #hasLinked = new Set<ByteString>();

  /** `lower`: what lies below the tree, which the layers of `tocs` make. */
  constructor(lower: Pick<RefView, 'lstat'>, tocs: readonly Toc[]) {
    this.#lower = lower;
    const entries = tocs.flatMap((toc) => toc.entries);
    if (!entries.some(isOthers)) return;
    for (const entry of entries) {
      if (!isOthers(entry) && hasRecord(entry)) continue;
      const key = copied(entry);
      this.#twins.set(key, [...(this.#twins.get(key) ?? []), entry]);
    }
  }

  async ownerOf(entry: TreeEntry, fullPath: ByteString): Promise<Owner> {
    const recorded = hasRecord(entry) ? recordedOwner(fullPath) : undefined;
    if (recorded || this.#twins.size === 0) return recorded ?? ROOT;
    const below = this.#lower.lstat(entry.path);
    if (below && !isOthers(below) && below.type === entry.type && sameTime(below, entry)) return ROOT; // copied up
    if (below && isOthers(below) && below.type === entry.type && entry.type !== 'dir') {
      if (hasRecord(entry) || !sameTime(below, entry) || below.linkname !== entry.linkname) {
        throw unknown(entry, 'was replaced or written anew, maybe by a program that keeps owners', below);
      }
      return below;
    }
    const twin = await this.#twin(entry, fullPath);
    if (twin) return twin;
    const parent = fullPath.slice(0, fullPath.lastIndexOf('/'));
    const group = recordedOwner(parent)?.gid ?? 0;
    if (group !== 0 && (lstatSync(toFsPath(parent)).mode & SETGID) !== 0) {
      throw unknown(entry, 'is new in a directory that gives its group to what is made in it', { uid: 0, gid: group });
    }
    return ROOT;
  }

  /**
   * A directory that only got other names in it has another time, and a file that only got a further name has several; the
   * directories above such a file, which come after it, were copied up for it.
   */
  unchanged(entry: TreeEntry, below: Omit<TreeEntry, 'inode'>): void {
    if (entry.inode !== undefined) {
      for (let dir = dirOf(entry.path); dir !== ''; dir = dirOf(dir)) this.#hasLinked.add(dir);
      return;
    }
    if (!isOthers(entry) || this.#hasLinked.has(entry.path)) return;
    if (entry.type === 'dir' && !sameTime(below, entry)) return;
    throw unknown(entry, 'was touched and is as before, so its owner may have been changed', entry);
  }

  /** The owner of a link that was moved or copied with its time. A file or directory that was copied so is nobody's. */
  async #twin(entry: TreeEntry, fullPath: ByteString): Promise<Owner | undefined> {
    let digest: string | undefined;
    const found: Owner[] = [];
    for (const one of this.#twins.get(copied(entry)) ?? []) {
      const below = this.#lower.lstat(one.path);
      if (below?.type !== entry.type || !sameTime(below, entry)) continue;
      if (entry.type === 'file' && one.digest !== (digest ??= await digestOf(fullPath))) continue;
      if (hasRecord(entry))
        throw unknown(entry, `seems to be a copy of \`/${toText(one.path)}\` with its owner`, below);
      found.push(below);
    }
    const [first] = found;
    const other = found.find(({ uid, gid }) => uid !== first?.uid || gid !== first.gid);
    if (other) throw unknown(entry, 'seems to be one of several that were there', other);
    return first && { uid: first.uid, gid: first.gid };
  }
}

function isOthers({ uid, gid }: Owner): boolean {
  return uid !== 0 || gid !== 0;
}

/** Other types cannot carry the attribute. */
function hasRecord({ type }: { readonly type: string }): boolean {
  return type === 'file' || type === 'dir';
}

function copied({ type, mode, size, mtime, linkname }: Omit<TreeEntry, 'type'> & { readonly type: string }): string {
  return JSON.stringify([type, type === 'symlink' ? 0 : mode, size, mtime, linkname]);
}

/** To the nanosecond, where both are known. */
function sameTime(a: Times, b: Times): boolean {
  return a.mtime === b.mtime && (a.mtimeNanoseconds ?? 0) === (b.mtimeNanoseconds ?? 0);
}

interface Times {
  readonly mtime: number;
  readonly mtimeNanoseconds?: number;
}

async function digestOf(file: ByteString): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(toFsPath(file))) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

function unknown({ path }: TreeEntry, what: string, { uid, gid }: Owner): BuildError {
  const owners = `${uid}:${gid}, or root's`;
  return new BuildError(
    'ISOLATION_UNAVAILABLE',
    `\`/${toText(path)}\` ${what}: with one id, nobody can tell whether it is now ${owners}`,
    {
      hint: hintForMoreIds(),
    },
  );
}
