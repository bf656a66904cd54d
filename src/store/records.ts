import { readFileSync, statSync, utimesSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile } from '../base/atomic-file.js';
import { hasCode } from '../base/errors.js';
import { hexOf, type Digest } from '../oci/digest.js';
import type { Holding } from './lease-file.js';
import type { StorePaths } from './paths.js';
import { toCacheRecord } from './stored-json.js';

/** How exactly the last use of a record is known: milliseconds. A build that follows another writes nothing. */
const USE_MS = 3_600_000;

/** `results`: ids of refs, one an output. `alias`: the key that stands for the result. */
export type CacheRecord = { readonly results: readonly string[] } | { readonly alias: Digest };

/** Cache records, one small file a key and kind, each replaced by rename. */
export class RecordStore {
  readonly #paths: StorePaths;
  readonly #temp: string;
  readonly #access: 'read' | 'write';

  /** `read`: facts are not remembered, nor what was used. */
  constructor(paths: StorePaths, { leaseId }: Holding, access: 'read' | 'write' = 'write') {
    this.#access = access;
    this.#paths = paths;
    this.#temp = paths.temp(leaseId);
  }

  async results(key: Digest): Promise<readonly string[] | undefined> {
    const record = toCacheRecord(await this.#read(key, 'results'));
    return record && 'results' in record ? record.results : undefined;
  }

  async alias(key: Digest): Promise<Digest | undefined> {
    const record = toCacheRecord(await this.#read(key, 'alias'));
    return record && 'alias' in record ? record.alias : undefined;
  }

  /** Notes, to the hour, that the results were used: the time of their file says what was not used for long. */
  noteUse(key: Digest): void {
    const file = this.#file(key, 'results');
    const now = Date.now();
    const noted = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (noted === undefined || Math.abs(now - noted) < USE_MS) return;
    try {
      utimesSync(file, now / 1000, now / 1000);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error; // removed meanwhile
    }
  }

  async saveResults(key: Digest, results: readonly string[]): Promise<void> {
    await this.#write(key, 'results', { results });
  }

  async saveAlias(key: Digest, alias: Digest): Promise<void> {
    await this.#write(key, 'alias', { alias });
  }

  /** Any small remembered fact that can be found out again, such as the compressed form of a layer. */
  async fact(name: string): Promise<unknown> {
    return await this.#readFile(path.join(this.#paths.facts, name));
  }

  async forgetFact(name: string): Promise<void> {
    await rm(path.join(this.#paths.facts, name), { force: true });
  }

  async saveFact(name: string, value: object): Promise<void> {
    if (this.#access === 'read') return;
    await this.#writeFile(path.join(this.#paths.facts, name), value);
  }

  #file(key: Digest, kind: string): string {
    const hex = hexOf(key);
    return path.join(this.#paths.records, hex.slice(0, 2), `${hex}.${kind}`);
  }

  async #read(key: Digest, kind: string): Promise<unknown> {
    return await this.#readFile(this.#file(key, kind));
  }

  async #readFile(file: string): Promise<unknown> {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      if (error instanceof SyntaxError) return undefined; // cut short when the power failed: found out again
      throw error;
    }
  }

  async #write(key: Digest, kind: string, record: CacheRecord): Promise<void> {
    await this.#writeFile(this.#file(key, kind), record);
  }

  async #writeFile(file: string, value: object): Promise<void> {
    await mkdir(path.dirname(file), { recursive: true });
    await replaceFile(file, JSON.stringify(value), this.#temp);
  }
}
