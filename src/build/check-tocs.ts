import { existsSync, readFileSync } from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { canonicalJson, type Json } from '../base/canonical-json.js';
import { BuildError, hasCode } from '../base/errors.js';
import { decompress } from '../layer/compression.js';
import { parseToc, serializeToc } from '../layer/saved-toc.js';
import { buildToc, type Digests } from '../layer/toc.js';
import { isPlainLayer } from '../oci/descriptor.js';
import type { DiffId } from '../oci/digest.js';
import type { Listing } from '../store/gc/listing.js';
import { readLayer } from '../store/gc/reach.js';
import { readChunks } from '../store/blobs.js';
import type { Damage } from '../store/fsck/types.js';
import type { LayerFact } from '../store/refs.js';
import type { StorePaths } from '../store/paths.js';

/**
 * Whether tables of contents can be read and, if `withLayers`, say what their layers hold. One whose layer is gone is only
 * read; one of another version is no damage: it is made anew.
 */
export async function checkTocs(
  paths: StorePaths,
  listing: Listing,
  { withLayers, ...opts }: Cancel & { readonly withLayers: boolean },
): Promise<readonly Damage[]> {
  const layers = withLayers ? layersOf(paths, listing) : new Map<DiffId, LayerFact>();
  const damage: Damage[] = [];
  for (const diffId of listing.tocs.keys()) {
    const file = paths.toc(diffId);
    const why = await faultOf(file, diffId, layers.get(diffId), paths, opts);
    if (why === undefined) continue;
    const what = `the table of contents of \`${diffId}\` ${why}`;
    damage.push({ what, images: [], repair: { kind: 'file', path: file }, isStill: () => existsSync(file) });
  }
  return damage;
}

async function faultOf(
  file: string,
  diffId: DiffId,
  layer: LayerFact | undefined,
  paths: StorePaths,
  opts: Cancel,
): Promise<string | undefined> {
  let kept: Buffer;
  let digests: Digests;
  try {
    kept = readFileSync(file);
    const parsed = parseToc(kept);
    if (parsed.diffId !== diffId) return 'is that of another layer';
    digests = parsed.digests ?? 'all';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (error instanceof BuildError && error.code === 'STORE_INVALID') return 'cannot be read';
    throw error;
  }
  const made = layer && (await readLayerToc(layer, digests, paths, opts));
  return made !== undefined && !isSame(made, kept) ? 'says something else than the layer' : undefined;
}

/** A table that was written with the layer knows what the layer does not have: parts of seconds, and inodes. */
function isSame(a: Buffer, b: Buffer): boolean {
  const [of, to] = [a, b].map((toc) => toc.toString('utf8').trimEnd().split('\n'));
  return of!.length === to!.length && of!.every((line, i) => line === to![i] || plain(line) === plain(to![i]!));
}

function plain(line: string): string {
  const { mtimeNanoseconds: _time, inode: _inode, ...rest } = JSON.parse(line) as { readonly [name: string]: Json };
  return canonicalJson(rest);
}

/** Undefined when the layer is gone, or its bytes are not what they should be, which is told of the blob. */
async function readLayerToc(
  { diffId, blob }: LayerFact,
  digests: Digests,
  paths: StorePaths,
  opts: Cancel,
): Promise<Buffer | undefined> {
  try {
    const bytes = readChunks(paths.blob(blob.digest), opts);
    const toc = await buildToc(isPlainLayer(blob.mediaType) ? bytes : decompress(bytes), undefined, { digests });
    return toc.diffId === diffId ? serializeToc(toc) : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (error instanceof BuildError && error.code === 'ARCHIVE_INVALID') return undefined;
    throw error;
  }
}

function layersOf(paths: StorePaths, listing: Listing): ReadonlyMap<DiffId, LayerFact> {
  const facts = [...listing.refs.keys()].map((id) => readLayer(paths, id)).filter((fact) => fact !== undefined);
  return new Map(facts.map((fact) => [fact.diffId, fact]));
}
