import type { ByteString } from '../../base/bytes.js';
import { CTIME, MTIME, STAT_ROW } from '../../base/stat-row.js';
import type { Digest } from '../../oci/digest.js';
import { baseOf, parentOf } from '../file-op/paths.js';
import { decodeRecord, encodeRecord, type ContextRecord, type Memo } from './context-record.js';
import type { ContextView } from './context-view.js';
import type { DirListing } from './dir-listing.js';
import { extentOf, fingerprint } from './fingerprint.js';
import { KnownFilesWriter, type KnownFiles } from './known-files.js';

/**
 * Milliseconds. A file that was changed shortly before it was looked at may be changed again within the same tick of the file system's
 * clock, and then looks the same. The coarsest clock, that of FAT, ticks every two seconds.
 */
const TICK_MS = 2100;
/** Selections that are remembered of a context, the latest ones. */
const MEMOS = 64;
/** Parts that an extent has at most. */
const PARTS = 1000;

/**
 * What is known of one context from earlier builds, and what this one adds. Nothing that it says is wrong as long as a file's
 * change time tells that it was written to; whoever reads a file's bytes finds out whether they are those of its digest.
 */
export class ContextMemory {
  readonly #before: ContextRecord | undefined;
  readonly #memos: Map<string, Memo>;
  readonly #fresh: {
    readonly selection: string;
    readonly touched: ReadonlySet<ByteString>;
    readonly digest: Digest;
  }[] = [];

  constructor(bytes: Buffer | undefined) {
    this.#before = bytes && decodeRecord(bytes);
    this.#memos = new Map(this.#before?.memos);
  }

  /** How many selections this build has added. */
  get noted(): number {
    return this.#fresh.length;
  }

  files(): KnownFiles | undefined {
    return this.#before?.files();
  }

  /** The digest that a selection had, if all that it was made from still is as it was. */
  recall(selection: string, view: ContextView): Digest | undefined {
    const memo = this.#memos.get(selection);
    if (!memo) return undefined;
    const { digest } = fingerprint(memo.extent, (dir) => view.listing(dir));
    return digest === memo.fingerprint ? memo.digest : undefined;
  }

  /** `touched`: the directories that it was made from. */
  note(selection: string, touched: ReadonlySet<ByteString>, digest: Digest): void {
    this.#fresh.push({ selection, touched, digest });
  }

  /** What is worth to be kept for the next build; undefined when it is what was kept before. */
  encode(view: ContextView): Buffer | undefined {
    const since = view.startedAt - TICK_MS;
    const hasMemos = this.#addMemos(view, since);
    const hasFiles = [...view.seen()].some((one) => settled(one.listing, one.digests, since).size > 0);
    if (!hasMemos && !hasFiles) return undefined;
    const writer = new KnownFilesWriter();
    const known = this.files();
    for (const { dir, listing, digests } of view.seen()) {
      const kept = new Map(settled(listing, digests, since));
      for (const [index, place] of known?.match(dir, listing).entries() ?? []) {
        if (place >= 0 && !kept.has(index)) kept.set(index, known!.digest(place));
      }
      writer.add(dir, listing, kept);
    }
    const seen = new Map([...view.seen()].map((one) => [one.dir, one.listing]));
    for (const dir of known?.dirs ?? []) if (!seen.has(dir) && isLeft(dir, seen)) known!.copyTo(writer, dir);
    return encodeRecord(this.#memos, writer);
  }

  #addMemos(view: ContextView, since: number): boolean {
    let added = false;
    for (const { selection, touched, digest } of this.#fresh) {
      const extent = extentOf(touched, (dir) => view.listing(dir));
      const { digest: print, newest } = fingerprint(extent, (dir) => view.listing(dir));
      if (newest > since || extent.length > PARTS) continue;
      this.#memos.delete(selection); // so that it becomes the latest
      this.#memos.set(selection, { extent, fingerprint: print, digest });
      added = true;
    }
    for (const selection of this.#memos.keys()) if (this.#memos.size > MEMOS) this.#memos.delete(selection);
    return added;
  }
}

/** The files that looked the same long enough before they were read. */
function settled(
  { rows }: DirListing,
  digests: ReadonlyMap<number, Digest>,
  since: number,
): ReadonlyMap<number, Digest> {
  const isSettled = (row: number): boolean => Math.max(rows[row + MTIME]!, rows[row + CTIME]!) <= since;
  return new Map([...digests].filter(([index]) => isSettled(index * STAT_ROW)));
}

/** Whether a directory that this build has not read may still be there: the lowest above it that it has read says so. */
function isLeft(dir: ByteString, seen: ReadonlyMap<ByteString, DirListing>): boolean {
  for (let at = dir; at !== ''; at = parentOf(at)) {
    const listing = seen.get(parentOf(at));
    if (!listing) continue;
    const index = listing.indexOf(baseOf(at));
    return index >= 0 && listing.isDir(index);
  }
  return true;
}
