import { createHash } from 'node:crypto';
import type { Cancel } from '../../base/abort.js';
import { fromText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Digest } from '../../oci/digest.js';
import { parseFilter, type FilterState, type PathFilter } from '../file-op/path-filter.js';
import { cleanPath, joinPath, shown } from '../file-op/paths.js';
import { resolveLinks } from '../file-op/resolve-links.js';
import { expandWildcard, hasWildcard } from '../file-op/wildcard.js';

/** Raised when equal content comes to other digests: those that are remembered are then not used. */
export const CONTENT_DIGEST_VERSION = 1;

/** So much is handed to the hash at once. */
const BATCH = 32 * 1024;

/** Which paths of a view count, as a copy selects them. */
export interface Selection {
  /** As in the Dockerfile; a trailing slash leaves out the directory's own mode and owner. */
  readonly paths: readonly string[];
  readonly followLinks: boolean;
  readonly wildcard: boolean;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  /** Absolute paths that must be among what is selected. */
  readonly requiredPaths?: readonly string[];
}

/**
 * The content of what a copy reads: names below the selected paths, types, modes, owners, link targets, devices, file
 * capabilities, bytes, and which names are one file. Not times, and not the name or place of a selected path itself
 * unless a wildcard found it. Equal digests mean that the copy gives the same. Throws BuildError PATH_NOT_FOUND
 * `"/name": not found` for a path that is not there, unless patterns select; then it counts as nothing.
 */
export async function contentDigest(view: RefView, selection: Selection, { signal }: Cancel): Promise<Digest> {
  const walk = new Walk(view, selection, signal);
  for (const path of selection.paths) await walk.add(fromText(path));
  walk.requirePaths(selection.requiredPaths ?? []);
  return walk.digest();
}

/** A directory of which it is not yet known whether it counts: it does once something below it does. */
interface Pending {
  readonly path: ByteString;
  readonly line: string;
  done: boolean;
}

class Walk {
  readonly #view: RefView;
  readonly #selection: Selection;
  readonly #signal: AbortSignal;
  readonly #include: PathFilter | undefined;
  readonly #exclude: PathFilter | undefined;
  readonly #hash = createHash('sha256');
  /** Lines that are not hashed yet. */
  #lines = '';
  readonly #firstNames = new Map<number | string, number>();
  #required: readonly ByteString[];
  #parents: Pending[] = [];
  #count = 0;

  constructor(view: RefView, selection: Selection, signal: AbortSignal) {
    this.#view = view;
    this.#selection = selection;
    this.#signal = signal;
    this.#include = parseFilter('include', selection.includePatterns);
    this.#exclude = parseFilter('exclude', selection.excludePatterns);
    this.#required = (selection.requiredPaths ?? []).map((path) => cleanPath(fromText(path)));
  }

  async add(src: ByteString): Promise<void> {
    const { wildcard, followLinks } = this.#selection;
    if (!wildcard || !hasWildcard(src)) {
      await this.#addPath(cleanPath(src), undefined, /(^|\/)\.?$/.test(src));
      return;
    }
    this.#say('wildcard\n');
    for (const found of expandWildcard(this.#view, src, followLinks)) await this.#addPath(found, found, false);
  }

  requirePaths(paths: readonly string[]): void {
    const [missing] = this.#required;
    if (missing === undefined) return;
    const written = paths.find((path) => cleanPath(fromText(path)) === missing) ?? missing;
    throw new BuildError('PATH_NOT_FOUND', `${JSON.stringify(written)}: not found`);
  }

  digest(): Digest {
    this.#hash.update(this.#lines);
    this.#lines = '';
    return `sha256:${this.#hash.digest('hex')}` as Digest;
  }

  async #addPath(path: ByteString, name: ByteString | undefined, onlyContents: boolean): Promise<void> {
    const at = resolveLinks(this.#view, path, this.#selection.followLinks);
    const entry = this.#view.lstat(at);
    if (entry === undefined) {
      // Where patterns select, BuildKit leaves it to the copy to find out.
      if (!this.#include && !this.#exclude) {
        throw new BuildError('PATH_NOT_FOUND', `${JSON.stringify(shown(path))}: not found`);
      }
      this.#say('nothing\n');
      return;
    }
    this.#say(`path ${name === undefined ? '' : quoted(name)}\n`);
    // The root has no header in BuildKit either: a checkout's own mode must not count.
    if (entry.type !== 'dir' || !(onlyContents || at === '')) await this.#addEntry(entry, at, '');
    if (entry.type === 'dir') await this.#addNames(at, '', path, undefined, undefined);
  }

  async #addNames(
    at: ByteString,
    relative: ByteString,
    written: ByteString,
    included: FilterState | undefined,
    excluded: FilterState | undefined,
  ): Promise<void> {
    this.#signal.throwIfAborted();
    for (const name of this.#view.list(at) ?? []) {
      const path = joinPath(at, name);
      const below = joinPath(relative, name);
      const isIn = this.#include?.judge(below, included);
      const isOut = this.#exclude?.judge(below, excluded);
      const counts = (isIn?.matched ?? true) && !(isOut?.matched ?? false);
      const canEnter = !isOut?.skippable;
      if (!counts && !canEnter) continue;
      const entry = this.#view.lstat(path);
      if (entry === undefined) throw new BuildError('CONTEXT_INVALID', `\`${shown(path)}\` vanished while it was read`);
      if (counts) {
        for (const parent of this.#parents) this.#flush(parent);
        const adding = this.#addEntry(entry, path, below);
        if (adding !== undefined) await adding; // only where something is to wait for: there are many files
        this.#found(joinPath(written, name));
      }
      if (entry.type !== 'dir' || !canEnter) continue;
      this.#parents.push({ path: joinPath(written, name), line: headLine(entry, below), done: counts });
      await this.#addNames(path, below, joinPath(written, name), isIn, isOut);
      this.#parents.pop();
    }
  }

  #flush(parent: Pending): void {
    if (parent.done) return;
    parent.done = true;
    this.#say(parent.line);
    this.#found(parent.path);
  }

  #addEntry(entry: ViewEntry, at: ByteString, relative: ByteString): Promise<void> | undefined {
    this.#count++;
    const head = headLine(entry, relative);
    if (entry.type !== 'file') {
      this.#say(head);
      return undefined;
    }
    const first = entry.inode === undefined ? undefined : this.#firstNames.get(entry.inode);
    if (first !== undefined) {
      this.#say(`${head}same as ${first}\n`);
      return undefined;
    }
    if (entry.inode !== undefined) this.#firstNames.set(entry.inode, this.#count);
    const digest = entry.size === 0 ? 'empty' : (this.#view.contentDigest?.(at) ?? this.#read(at));
    if (typeof digest !== 'string') return digest.then((known) => this.#say(`${head}${known}\n`));
    this.#say(`${head}${digest}\n`);
    return undefined;
  }

  #say(lines: string): void {
    this.#lines += lines;
    if (this.#lines.length < BATCH) return;
    this.#hash.update(this.#lines);
    this.#lines = '';
  }

  async #read(at: ByteString): Promise<Digest> {
    const hash = createHash('sha256');
    for await (const chunk of this.#view.open(at)) {
      this.#signal.throwIfAborted();
      hash.update(chunk);
    }
    return `sha256:${hash.digest('hex')}` as Digest;
  }

  #found(path: ByteString): void {
    if (this.#required.length > 0) this.#required = this.#required.filter((one) => !path.startsWith(one));
  }
}

/** One line that says all that counts of an entry but its bytes. */
function headLine(entry: ViewEntry, name: ByteString): string {
  const { type, mode, uid, gid, size } = entry;
  let line = `${quoted(name)} ${type} ${mode.toString(8)} ${uid} ${gid} ${type === 'file' ? size : 0}`;
  if (entry.linkname !== undefined) line += ` to ${quoted(entry.linkname)}`;
  if (type === 'char' || type === 'block') line += ` device ${entry.devMajor ?? 0} ${entry.devMinor ?? 0}`;
  const capability = entry.xattrs?.get('security.capability');
  if (capability !== undefined) line += ` capability ${capability.toString('hex')}`;
  return `${line}\n`;
}

/** In bytes, so that no two names read the same. */
function quoted(name: ByteString): string {
  return JSON.stringify(name);
}
