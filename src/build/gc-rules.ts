import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { BuildError, hasCode } from '../base/errors.js';
import { parseSize } from '../base/size.js';
import { Fault } from '../dockerfile/diagnostic.js';
import { parseDuration } from '../dockerfile/instructions/duration.js';
import { configFile } from '../registry/config.js';
import type { PruneSpec, SpaceBounds } from '../store/gc/select.js';
import type { CacheUnit } from '../store/gc/units.js';
import { parseCacheFilters } from './prune-filters.js';

/** The disk that the store is on, and the time. */
export interface GcSurroundings {
  /** Bytes of the whole file system. */
  readonly diskBytes: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export type GcRules = (surroundings: GcSurroundings) => readonly PruneSpec[];

const space = v.union([
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  v.pipe(v.string(), v.check(isSpace, 'must be bytes, a size such as `10GB`, or a part of the disk such as `20%`')),
]);
const duration = v.union([
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  v.pipe(v.string(), v.check(isDuration, 'must be seconds, or a duration such as `48h`')),
]);
const bounds = {
  reservedSpace: v.optional(space),
  maxUsedSpace: v.optional(space),
  minFreeSpace: v.optional(space),
};
const policy = v.strictObject({
  ...bounds,
  all: v.optional(v.boolean(), false),
  keepBytes: v.optional(space),
  keepDuration: v.optional(duration),
  filters: v.optional(v.array(v.pipe(v.string(), v.check(isFilter, 'is no filter of the cache'))), []),
});
const worker = v.strictObject({
  ...bounds,
  gc: v.optional(v.boolean()),
  gckeepstorage: v.optional(space),
  gcpolicy: v.optional(v.array(policy)),
  /** See `network-mode.ts`. */
  networkMode: v.optional(v.unknown()),
});
const config = v.looseObject({ worker: v.optional(v.strictObject({ oci: v.optional(worker) })) });

type Space = number | string;
type Policy = v.InferOutput<typeof policy>;

/**
 * The rules of `config.toml` by which the cache is kept small: `[worker.oci]`, as in buildkitd.toml. Undefined where there
 * are none, or `gc = false`. Throws CONFIG_INVALID with file and line.
 */
export async function loadGcRules(env: NodeJS.ProcessEnv): Promise<GcRules | undefined> {
  const file = configFile(env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new BuildError('CONFIG_INVALID', `cannot read \`${file}\``, { cause: error });
  }
  const { parseTable } = await import('../registry/toml-table.js'); // nobody without a file pays for it
  const { worker: table } = parseTable(text, file, { schema: config, keysAt, likeness: 'buildkitd.toml' });
  if (!table?.oci || table.oci.gc === false) return undefined;
  const { networkMode, ...rules } = table.oci;
  if (networkMode !== undefined && Object.keys(rules).length === 0) return undefined;
  const { gcpolicy, gckeepstorage, ...given } = rules;
  const own = { ...given, reservedSpace: given.reservedSpace ?? gckeepstorage };
  return (surroundings) => (gcpolicy ?? defaultPolicies(own)).map((one) => specOf(one, surroundings));
}

function keysAt(path: readonly string[]): readonly string[] {
  const forms = [config, config.entries.worker.wrapped, worker];
  return Object.keys((path.length > 3 ? policy : forms[path.length - 1]!).entries);
}

/** As buildkitd does without policies of its own: what is most easily made again goes first. */
function defaultPolicies(given: Pick<Policy, keyof SpaceBounds>): readonly Policy[] {
  const bounds = Object.values(given).some((one) => typeof one !== 'boolean' && one !== undefined)
    ? { reservedSpace: given.reservedSpace, maxUsedSpace: given.maxUsedSpace, minFreeSpace: given.minFreeSpace }
    : { reservedSpace: '10%', maxUsedSpace: '60%', minFreeSpace: '20%' };
  const easily = ['type==source.local', 'type==exec.cachemount', 'type==source.git.checkout'];
  return [
    { all: false, filters: easily, keepDuration: '48h', maxUsedSpace: '512MB' },
    { all: false, filters: [], keepDuration: '1440h', ...bounds },
    { all: false, filters: [], ...bounds },
    { all: true, filters: [], ...bounds },
  ];
}

function specOf(policy: Policy, { diskBytes, now }: GcSurroundings): PruneSpec {
  const bytes = (one: Space | undefined): number | undefined =>
    one === undefined ? undefined : bytesOf(one, diskBytes);
  const [reservedSpace, maxUsedSpace, minFreeSpace] = [
    bytes(policy.reservedSpace ?? policy.keepBytes),
    bytes(policy.maxUsedSpace),
    bytes(policy.minFreeSpace),
  ];
  const tests = policy.filters.map(testOf);
  return {
    all: policy.all,
    ...(policy.keepDuration !== undefined && { unusedSince: now - millisecondsOf(policy.keepDuration) }),
    ...(tests.length > 0 && { matches: (unit: CacheUnit) => tests.some((test) => test(unit)) }),
    ...(reservedSpace !== undefined && { reservedSpace }),
    ...(maxUsedSpace !== undefined && { maxUsedSpace }),
    ...(minFreeSpace !== undefined && { minFreeSpace }),
  };
}

/** What a comma separates must all be true. */
function testOf(filter: string): (unit: CacheUnit) => boolean {
  return parseCacheFilters(filter.split(',')).matches ?? (() => true);
}

function isFilter(text: string): boolean {
  try {
    return parseCacheFilters(text.split(',')).until === undefined;
  } catch (error) {
    if (error instanceof BuildError) return false;
    throw error;
  }
}

function isSpace(text: string): boolean {
  return /^\d+(?:\.\d+)?%$/.test(text) || parseSize(text) !== undefined;
}

function bytesOf(space: Space, diskBytes: number): number {
  if (typeof space === 'number') return space;
  if (space.endsWith('%')) return Math.floor((Number(space.slice(0, -1)) / 100) * diskBytes);
  return parseSize(space)!;
}

function isDuration(text: string): boolean {
  try {
    return parseDuration(text) >= 0;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

function millisecondsOf(duration: number | string): number {
  return typeof duration === 'number' ? duration * 1000 : parseDuration(duration) / 1e6;
}
