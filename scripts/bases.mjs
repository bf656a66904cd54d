// Makes base images from the recipes in bases/, where they are not ready yet, and says where they lie.
//   node scripts/bases.mjs [name…]     e.g. node:20 busybox; all of them without a name
// stdout: one line a base, as `slipway build --build-context` takes it.
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { baseKey, findBase, keepBase, workFolder } from './bases/cache.mjs';
import { debian, inside } from './bases/debian.mjs';
import { nodeDistribution } from './bases/npm.mjs';
import { run } from './process.mjs';
import { fail, say } from './say.mjs';

const ROOT = path.dirname(import.meta.dirname);
const RECIPES = path.join(ROOT, 'bases');

/** Debian's installer and its unpacking keep a processor and the disk busy: more at once would not be faster. */
const AT_ONCE = 2;

/** The layouts of the named bases (all, without names), made if needed: a Map from name to folder. */
export async function bases(names) {
  const recipes = await readRecipes();
  const unknown = names?.filter((name) => !recipes.some((recipe) => recipe.name === name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`no recipe for ${unknown.join(', ')}; there are: ${recipes.map(({ name }) => name).join(', ')}`);
  }
  const wanted = names ? names.map((name) => recipes.find((recipe) => recipe.name === name)) : recipes;
  const layouts = new Map(wanted.map(({ name, folder, key }) => [name, findBase(folder, key)]));
  const missing = wanted.filter(({ name }) => layouts.get(name) === undefined);
  if (missing.length === 0) return layouts;

  const work = await workFolder();
  // Aborted with the reason: the first failure, or Ctrl-C. The folder is removed only after all recipes have ended.
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Error('interrupted'));
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const queue = [...missing];
  const makeNext = async () => {
    for (let recipe; !stop.signal.aborted && (recipe = queue.shift());) {
      try {
        layouts.set(recipe.name, await make(recipe, path.join(work, recipe.folder), stop));
      } catch (error) {
        stop.abort(about(recipe.name, error));
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, makeNext));
    stop.signal.throwIfAborted();
    return layouts;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await rm(work, { recursive: true, force: true });
  }
}

function about(name, error) {
  return new Error(`cannot make the base image \`${name}\`: ${error.message}`, { cause: error });
}

async function readRecipes() {
  const entries = await readdir(RECIPES, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return Promise.all(
    folders.sort().map(async (folder) => {
      const source = path.join(RECIPES, folder);
      const { name, prepare } = await import(pathToFileURL(path.join(source, 'recipe.mjs')).href);
      return { name, prepare, folder, source, key: await baseKey(source) };
    }),
  );
}

async function make({ name, prepare, folder, source, key }, work, stop) {
  const startedAt = Date.now();
  const { signal } = stop;
  const job = { signal, say: (message) => say(name, message) };
  const context = path.join(work, 'context');
  await mkdir(work);
  await cp(source, context, { recursive: true });
  await prepareContext({ name, prepare }, context, job, stop);

  job.say('building the image');
  const layout = path.join(work, 'layout');
  // The store is thrown away with the work folder: the layout is all that is wanted.
  const env = { ...process.env, SLIPWAY_ROOT: path.join(work, 'store') };
  // For a cache on this machine time counts more than the last tenth of size.
  const output = `--output=type=oci,dest=${layout},tar=false,compression=uncompressed`;
  const args = ['build', '--progress=plain', output, `--tag=${name}`, context];
  await run(process.execPath, [path.join(ROOT, 'bin/slipway'), ...args], { env, signal, merge: true });
  const target = await keepBase(layout, folder, key);
  job.say(`ready after ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
  return target;
}

/** Lets the recipe fill the context. Settles only when all that the recipe started has ended, its failures included. */
async function prepareContext({ name, prepare }, context, job, stop) {
  const started = [];
  const track = (task) => {
    started.push(task);
    return task;
  };
  const at = (file) => path.join(context, file);
  try {
    await prepare({
      context,
      inside,
      debian: (tar, options) => track(debian(at(tar), options, job)),
      nodeDistribution: (target, versions) => track(nodeDistribution(at(target), versions, job)),
      run: (program, args) => track(run(program, args, { cwd: context, signal: job.signal })),
    });
  } catch (error) {
    stop.abort(about(name, error));
    await Promise.allSettled(started);
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  try {
    for (const [name, layout] of await bases(names.length > 0 ? names : undefined)) {
      process.stdout.write(`${name}=oci-layout://${layout}\n`);
    }
  } catch (error) {
    fail(error);
  }
}
