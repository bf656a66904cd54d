import { BuildError } from '../base/errors.js';
import { checkBlobs } from '../store/fsck/check-blobs.js';
import { checkCache } from '../store/fsck/check-cache.js';
import { checkImages } from '../store/fsck/check-images.js';
import { repairStore } from '../store/fsck/repair.js';
import type { Damage, FsckCounts } from '../store/fsck/types.js';
import { diskUsage } from '../store/gc/disk-usage.js';
import { listLeftovers } from '../store/gc/leftovers.js';
import { listStore } from '../store/gc/listing.js';
import type { NamedImage } from '../store/images.js';
import { withLock } from '../store/lock.js';
import type { Store } from '../store/store.js';
import { checkContexts } from './check-contexts.js';
import { checkTocs } from './check-tocs.js';
import { withJob, type JobOptions, type OpenJob } from './open-job.js';

export interface FsckOptions extends JobOptions {
  /** Sizes in place of contents: blobs are not hashed, tables of contents not compared with their layers. */
  readonly quick?: boolean;
  /** Mends what can be made anew. */
  readonly repair?: boolean;
}

/** A fault, and what is to be done about it. */
export interface Finding {
  readonly what: string;
  /** Names of images that are not whole because of it; digests of those without. */
  readonly images: readonly string[];
  /** One sentence without a full stop. */
  readonly remedy: string;
}

export interface FsckReport {
  readonly damage: readonly Finding[];
  /** The damage was mended as far as it can be; the images among it are to be built or pulled again. */
  readonly repaired: boolean;
  /** What killed jobs have left, which does no harm. */
  readonly leftovers: { readonly count: number; readonly bytes: number };
  readonly checked: FsckCounts;
}

/**
 * Looks whether all that the store holds is whole: images down to the bytes of their layers, cached results, tables of contents.
 * Builds and prunes may run beside it.
 */
export async function checkStore(options: FsckOptions): Promise<FsckReport> {
  const { quick = false, repair = false } = options;
  return await withJob({ ...options, access: repair ? 'write' : 'read' }, 'checking the store', async (open) => {
    const { damage, checked } = await examine(open, quick);
    if (repair && damage.length > 0) {
      const { paths } = open.store;
      await withLock(paths.pruneLock, options.signal, () => repairStore(paths, damage, options));
    }
    return {
      damage: damage.map((one) => ({ what: one.what, images: one.images, remedy: remedyOf(one, repair) })),
      repaired: repair,
      leftovers: leftoversOf(open.store),
      checked,
    };
  });
}

async function examine(
  { store, job }: OpenJob,
  quick: boolean,
): Promise<{ readonly damage: readonly Damage[]; readonly checked: FsckCounts }> {
  const { paths } = store;
  const { images, ofIndex } = await listImages(store);
  const ofImages = checkImages(paths, images);
  const listing = listStore(paths);
  const ofCache = checkCache(paths, listing);
  const known = new Set(ofImages.damage.flatMap(({ repair }) => (repair.kind === 'blob' ? [repair.digest] : [])));
  const unhashed = [...listing.blobs.keys()].filter((digest) => !ofImages.hashed.has(digest) && !known.has(digest));
  const ofBlobs = quick ? [] : await checkBlobs(paths, unhashed, ofImages.users, job);
  const ofTocs = await checkTocs(paths, listing, { ...job, withLayers: !quick });
  const ofContexts = checkContexts(paths, listing);
  const found = [...ofIndex, ...ofImages.damage, ...ofBlobs, ...ofCache, ...ofContexts, ...ofTocs];
  return {
    damage: found.filter((one) => one.isStill()),
    checked: {
      images: images.length,
      blobs: listing.blobs.size,
      bytes: [...listing.blobs.values()].reduce((sum, { size }) => sum + size, 0),
      records: listing.records.length,
      refs: listing.refs.size,
      tocs: listing.tocs.size,
    },
  };
}

async function listImages(
  store: Store,
): Promise<{ readonly images: readonly NamedImage[]; readonly ofIndex: readonly Damage[] }> {
  try {
    return { images: await store.images.list(), ofIndex: [] };
  } catch (error) {
    if (!(error instanceof BuildError) || !['IMAGE_INVALID', 'STORE_INVALID'].includes(error.code)) throw error;
    const damage: Damage = { what: error.message, images: [], repair: { kind: 'index' }, isStill: () => true };
    return { images: [], ofIndex: [damage] };
  }
}

function leftoversOf({ paths }: Store): FsckReport['leftovers'] {
  const { directories, files } = listLeftovers(paths);
  const all = [...directories, ...files];
  return { count: all.length, bytes: all.reduce((sum, one) => sum + diskUsage(one), 0) };
}

function remedyOf({ images, repair }: Damage, repaired: boolean): string {
  if (images.length > 0) {
    const again = `build, pull or load ${images.map((name) => `\`${name}\``).join(', ')} again, or remove it with \`slipway rmi\``;
    return repaired || repair.kind === 'none' ? again : `\`slipway fsck --repair\`, then ${again}`;
  }
  if (repair.kind === 'none') return 'nothing can be done about it';
  if (repair.kind === 'index') {
    return repaired
      ? 'the images that are there are listed again, without their names: give them new ones before the next prune'
      : '`slipway fsck --repair` lists the images that are there again, without their names';
  }
  const mended = { blob: 'set aside', file: 'removed', ref: 'forgotten' }[repair.kind];
  return repaired
    ? `it was ${mended}, and is made anew when it is needed`
    : '`slipway fsck --repair`: it can be made anew';
}
