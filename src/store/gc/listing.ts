import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../../base/errors.js';
import type { DiffId, Digest } from '../../oci/digest.js';
import type { StorePaths } from '../paths.js';
import type { CacheRecord } from '../records.js';
import { toCacheRecord } from '../stored-json.js';

export interface ListedFile {
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
}

/** A cache record, as it was when it was listed. */
export interface ListedRecord {
  readonly file: string;
  readonly key: Digest;
  /** Undefined for one that cannot be read. */
  readonly record: CacheRecord | undefined;
  readonly mtime: number;
}

/** What lies in a store, by name. */
export interface Listing {
  readonly blobs: ReadonlyMap<Digest, ListedFile>;
  /** Names of the files of each ref: of its record, and of its faces. */
  readonly refs: ReadonlyMap<string, readonly string[]>;
  readonly trees: readonly string[];
  readonly tocs: ReadonlyMap<DiffId, ListedFile>;
  readonly records: readonly ListedRecord[];
  /** Names of facts, and when they were written: milliseconds since 1970. */
  readonly facts: ReadonlyMap<string, number>;
  /** Files about build contexts, by name. */
  readonly contexts: ReadonlyMap<string, ListedFile>;
  readonly git: readonly string[];
  readonly mounts: readonly string[];
  readonly locks: readonly string[];
}

/** Lists the store. What is made or goes meanwhile may be in it or not. Throws the system's error. */
export function listStore(paths: StorePaths): Listing {
  return {
    blobs: new Map(files(paths.blobs, /^[0-9a-f]{64}$/).map(([name, file]) => [digest(name) as Digest, file])),
    refs: listRefs(paths),
    trees: names(paths.trees),
    tocs: new Map(files(paths.tocs, /^[0-9a-f]{64}\.jsonl$/).map(([name, file]) => [digest(name) as DiffId, file])),
    records: listRecords(paths),
    facts: new Map(files(paths.facts, /./).map(([name, { mtime }]) => [name, mtime])),
    contexts: new Map(files(paths.contexts, /./)),
    git: names(paths.gits),
    mounts: names(paths.cacheMounts),
    locks: names(paths.locks),
  };
}

/** Names in a folder; none when there is no such folder. */
export function names(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function files(dir: string, pattern: RegExp): readonly (readonly [string, ListedFile])[] {
  return names(dir).flatMap((name) => {
    const stats = pattern.test(name) ? statSync(path.join(dir, name), { throwIfNoEntry: false }) : undefined;
    return stats ? [[name, { size: stats.size, mtime: stats.mtimeMs }] as const] : [];
  });
}

function digest(name: string): Digest | DiffId {
  return `sha256:${name.slice(0, 64)}` as Digest | DiffId;
}

function listRefs(paths: StorePaths): ReadonlyMap<string, readonly string[]> {
  const refs = new Map<string, string[]>();
  for (const name of names(paths.refs)) {
    const id = name.slice(0, name.indexOf('.'));
    if (id === '' || !name.endsWith('.json')) continue;
    const known = refs.get(id);
    if (known) known.push(name);
    else refs.set(id, [name]);
  }
  return refs;
}

function listRecords(paths: StorePaths): readonly ListedRecord[] {
  const listed: ListedRecord[] = [];
  for (const folder of names(paths.records)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const [name, { mtime }] of files(path.join(paths.records, folder), /^[0-9a-f]{64}\.(?:results|alias)$/)) {
      const file = path.join(paths.records, folder, name);
      const record = toCacheRecord(readJson(file));
      listed.push({ file, key: `sha256:${name.slice(0, 64)}` as Digest, record, mtime });
    }
  }
  return listed;
}

/** A small JSON file; undefined when it is gone, or cut short. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
