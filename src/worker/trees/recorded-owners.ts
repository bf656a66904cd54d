import { lstatSync } from 'node:fs';
import { toFsPath, toText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { recordedOwner, type Owner } from '../../base/linux/recorded-owner.js';
import { dirOf } from '../../layer/entry-path.js';
import type { RefView } from '../../layer/ref-view.js';
import type { Toc } from '../../layer/toc.js';
import type { UpperOwners } from '../../snapshot/overlay-diff.js';
import type { TreeEntry } from '../../snapshot/types.js';
import { hintForMoreIds } from '../isolation/id-maps.js';
import { sameTime, TwinsBelow } from './twins-below.js';

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
  /** Absent where everything is root's. */
  readonly #twins: TwinsBelow | undefined;
  readonly #hasLinked = new Set<ByteString>();

  /** `lower`: what lies below the tree, which the layers of `tocs` make. */
  constructor(lower: Pick<RefView, 'lstat'>, tocs: readonly Toc[]) {
    this.#lower = lower;
    if (tocs.some(({ entries }) => entries.some(isOthers))) this.#twins = new TwinsBelow(lower, tocs);
  }

  async ownerOf(entry: TreeEntry, fullPath: ByteString): Promise<Owner> {
    const recorded = hasRecord(entry) ? recordedOwner(fullPath) : undefined;
    if (recorded || !this.#twins) return recorded ?? ROOT;
    const below = this.#lower.lstat(entry.path);
    if (below && !isOthers(below) && below.type === entry.type && sameTime(below, entry)) return ROOT; // copied up
    if (below && isOthers(below) && below.type === entry.type && entry.type !== 'dir') {
      if (hasRecord(entry) || !sameTime(below, entry) || below.linkname !== entry.linkname) {
        throw unknown(entry, 'was replaced or written anew, maybe by a program that keeps owners', below);
      }
      return below;
    }
    const twin = await ownerOfTwin(this.#twins, entry, fullPath);
    if (twin) return twin;
    if (below?.type === 'dir' && entry.type === 'dir') return ROOT; // got other names in it
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
}

/**
 * The owner of a link that was moved or copied with its time. A file or directory that was copied so, from something of
 * others, may be anybody's. Where images have one time for all, root may have one that is the same: the path that ends alike
 * for longer decides.
 */
async function ownerOfTwin(twins: TwinsBelow, entry: TreeEntry, fullPath: ByteString): Promise<Owner | undefined> {
  const others = await twins.of(entry, fullPath, isOthers);
  if (others.length === 0) return undefined;
  const all = [...others, ...(await twins.of(entry, fullPath, (twin) => !isOthers(twin)))];
  const longest = Math.max(...all.map(({ path }) => commonNames(path, entry.path)));
  const likely = all.filter(({ path }) => commonNames(path, entry.path) === longest);
  const other = likely.find((twin) => isOthers(twin.entry));
  if (!other) return ROOT;
  if (hasRecord(entry)) {
    throw unknown(entry, `seems to be a copy of \`/${toText(other.path)}\` with its owner`, other.entry);
  }
  const { uid, gid } = other.entry;
  if (likely.every((twin) => twin.entry.uid === uid && twin.entry.gid === gid)) return { uid, gid };
  throw unknown(entry, 'seems to be one of several that were there', other.entry);
}

/** How many names two paths have in common at their ends. */
function commonNames(a: ByteString, b: ByteString): number {
  const [one, other] = [a.split('/').reverse(), b.split('/').reverse()];
  const differs = one.findIndex((name, i) => name !== other[i]);
  return differs < 0 ? one.length : differs;
}

function isOthers({ uid, gid }: Owner): boolean {
  return uid !== 0 || gid !== 0;
}

/** Other types cannot carry the attribute. */
function hasRecord({ type }: { readonly type: string }): boolean {
  return type === 'file' || type === 'dir';
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
