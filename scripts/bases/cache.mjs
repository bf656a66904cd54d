import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** Where root keeps finished bases. Everyone may read them, so that an ordinary user need not make them again. */
const SHARED = '/var/cache/slipway/bases';

/** Where this user keeps finished bases: `$SLIPWAY_BASES` if set. */
export function baseCache() {
  if (process.env.SLIPWAY_BASES) return path.resolve(process.env.SLIPWAY_BASES);
  if (process.getuid() === 0) return SHARED;
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'slipway/bases');
}

/** The finished layout of a recipe in this state, if there is one. */
export function findBase(folder, key) {
  return [baseCache(), SHARED].map((cache) => path.join(cache, folder, key)).find((layout) => existsSync(layout));
}

/** Names everything that a base is made from: the recipe's files, the code that carries it out, the architecture. */
export async function baseKey(recipe) {
  const hash = createHash('sha256').update(`${process.arch}\n`);
  for (const folder of [recipe, import.meta.dirname]) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of files.sort()) {
      const content = await readFile(file);
      hash.update(`${path.relative(folder, file)}\n${content.length}\n`).update(content);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** A folder of our own beside the finished bases. Those that dead processes left behind are removed. */
export async function workFolder() {
  const cache = baseCache();
  await mkdir(cache, { recursive: true });
  for (const name of await readdir(cache)) {
    const pid = /^\.work-(\d+)-/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) await rm(path.join(cache, name), { recursive: true, force: true });
  }
  const folder = path.join(cache, `.work-${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(folder);
  return folder;
}

/**
 * Moves a finished layout to its place in one step and gives that place. When another process was first, its layout
 * stays and ours goes. Layouts of earlier states of the recipe are removed.
 */
export async function keepBase(layout, folder, key) {
  const home = path.join(baseCache(), folder);
  await mkdir(home, { recursive: true });
  const target = path.join(home, key);
  await rename(layout, target).catch((error) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  for (const other of await readdir(home)) {
    if (other !== key) await rm(path.join(home, other), { recursive: true, force: true });
  }
  return target;
}
