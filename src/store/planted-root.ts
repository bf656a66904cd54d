import path from 'node:path';
import { lstatSync } from 'node:fs';
import { BuildError } from '../base/errors.js';
import type { StorePaths } from './paths.js';

const STICKY = 0o1000;
const OTHERS_WRITE = 0o002;

/**
 * Throws STORE_INVALID for a store that somebody else has put where anybody may put one (a directory as /tmp): its owner could
 * change what is built from it, and let links in it lead anywhere. Elsewhere it is taken as it is, whosever it is.
 */
export function refusePlantedRoot(root: string): void {
  const uid = process.geteuid?.();
  const there = lstatSync(root, { throwIfNoEntry: false });
  if (uid === undefined || !there || there.uid === uid || there.uid === 0) return;
  const { mode, uid: owner } = lstatSync(path.dirname(root));
  if ((mode & STICKY) === 0 || (mode & OTHERS_WRITE) === 0 || owner === there.uid) return;
  throw new BuildError('STORE_INVALID', `the store \`${root}\` belongs to user ${there.uid}, who need not be you`, {
    hint: 'in that directory anybody can put one: name another with `--root` or `SLIPWAY_ROOT`, or remove this one',
  });
}

/**
 * Throws STORE_INVALID where a folder of the store is a link: what lies behind it would be taken for what the store has, and be
 * removed by a garbage collection. Nobody needs such links, since the folders must be on one file system.
 */
export function refuseLinkedFolders(paths: StorePaths): void {
  const { root, blobs, tocs, trees, refs, records, facts, contexts, damaged, leases, locks, gits, cacheMounts } = paths;
  const parents = [blobs, paths.temp('-'), paths.work('-')].map((one) => path.dirname(one));
  for (const dir of [
    blobs,
    tocs,
    trees,
    refs,
    records,
    facts,
    contexts,
    damaged,
    leases,
    locks,
    gits,
    cacheMounts,
    ...parents,
  ]) {
    if (!lstatSync(dir, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    throw new BuildError('STORE_INVALID', `\`${path.relative(root, dir)}\` of the store \`${root}\` is a link`, {
      hint: 'put the whole store elsewhere with `--root` or `SLIPWAY_ROOT`',
    });
  }
}
