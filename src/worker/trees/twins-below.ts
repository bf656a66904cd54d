import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { toFsPath, type ByteString } from '../../base/bytes.js';
import { baseOf, dirOf } from '../../layer/entry-path.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import type { Toc, TocEntry } from '../../layer/toc.js';
import type { TreeEntry } from '../../snapshot/types.js';

/** Something below that is as a new object is: of its type, mode, time and content. */
export interface Twin {
  readonly path: ByteString;
  readonly entry: ViewEntry;
}

/** Finds what a program may have copied or moved, time and all, to make a new object. */
export class TwinsBelow {
  readonly #lower: Pick<RefView, 'lstat'>;
  readonly #byLook = new Map<string, TocEntry[]>();
  readonly #names = new Map<ByteString, Set<ByteString>>();

  /** `lower`: what the layers of `tocs` make. */
  constructor(lower: Pick<RefView, 'lstat'>, tocs: readonly Toc[]) {
    this.#lower = lower;
    for (const toc of tocs) {
      for (const entry of toc.entries) {
        add(this.#byLook, lookOf(entry), [], (some) => some.push(entry));
        add(this.#names, dirOf(entry.path), new Set(), (names) => names.add(baseOf(entry.path)));
      }
    }
  }

  /** Those that `wanted` wants, each once. A directory's content is its names. */
  async of(entry: TreeEntry, fullPath: ByteString, wanted: (twin: ViewEntry) => boolean): Promise<readonly Twin[]> {
    const twins = new Map<ByteString, Twin>();
    let digest: string | undefined;
    for (const one of this.#byLook.get(lookOf(entry)) ?? []) {
      const below = this.#lower.lstat(one.path);
      if (below?.type !== entry.type || !sameTime(below, entry) || !wanted(below)) continue;
      if (entry.type === 'file' && one.digest !== (digest ??= await digestOf(fullPath))) continue;
      if (entry.type === 'dir' && !this.#hasNames(one.path, fullPath)) continue;
      twins.set(one.path, { path: one.path, entry: below });
    }
    return [...twins.values()];
  }

  #hasNames(dir: ByteString, fullPath: ByteString): boolean {
    const prefix = dir === '' ? '' : `${dir}/`;
    const below = [...(this.#names.get(dir) ?? [])].filter((name) => this.#lower.lstat(`${prefix}${name}`));
    const names = new Set(readdirSync(toFsPath(fullPath), 'latin1'));
    return below.length === names.size && below.every((name) => names.has(name));
  }
}

/** To the nanosecond, where both are known. */
export function sameTime(a: Times, b: Times): boolean {
  return a.mtime === b.mtime && (a.mtimeNanoseconds ?? 0) === (b.mtimeNanoseconds ?? 0);
}

interface Times {
  readonly mtime: number;
  readonly mtimeNanoseconds?: number;
}

function lookOf({ type, mode, size, mtime, linkname }: Omit<TreeEntry, 'type'> & { readonly type: string }): string {
  return JSON.stringify([type, type === 'symlink' ? 0 : mode, size, mtime, linkname]);
}

function add<K, V>(map: Map<K, V>, key: K, empty: V, change: (value: V) => void): void {
  const value = map.get(key) ?? empty;
  change(value);
  map.set(key, value);
}

async function digestOf(file: ByteString): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(toFsPath(file))) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
