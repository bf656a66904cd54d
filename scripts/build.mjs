// Bundles src/ into dist/, when src/ is newer than what is there. Prints nothing when there is nothing to do.
import { constants, existsSync, statSync } from 'node:fs';
import { access, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleScripts, makeCodeCaches } from './bundle-scripts.mjs';
import { fail, say } from './say.mjs';

const ROOT = path.dirname(import.meta.dirname);
const DIST = path.join(ROOT, 'dist');
const STAMP = path.join(DIST, '.built');

/** What the bundles depend on beside src/. */
const PROGRAMS = ['scripts/build.mjs', 'scripts/bundle-scripts.mjs', 'scripts/code-cache.mjs', 'bin/code-cache.cjs'];

const ENTRY_POINTS = {
  'blob-tar': 'src/layer/blob-tar/thread.ts',
  'early-form': 'src/exporter/early-form/thread.ts',
  'chroot-launcher': 'src/executor/chroot/launcher.ts',
  'chroot-link-answers': 'src/executor/chroot/link-answers.ts',
  index: 'src/build/index.ts',
};

export async function build() {
  if (await isFresh()) return;
  await access(ROOT, constants.W_OK).catch((cause) => {
    throw new Error(`dist/ is missing or older than src/, and you may not write to ${ROOT}: its owner can build it`, {
      cause,
    });
  });
  const startedAt = Date.now();
  const { build: bundle } = await import('esbuild');
  // A new folder, put in place at the end: a slipway that runs meanwhile never meets half a build.
  const fresh = path.join(ROOT, `.dist-${process.pid}.tmp`);
  try {
    const common = {
      absWorkingDir: ROOT,
      bundle: true,
      platform: 'node',
      target: 'node20',
      // Finds its native part relative to its own folder.
      external: ['koffi'],
      sourcemap: true,
      sourcesContent: false,
      logLevel: 'silent',
    };
    await bundle({
      ...common,
      entryPoints: ENTRY_POINTS,
      outdir: fresh,
      format: 'esm',
      // Modules that are imported with `import()` become files of their own, read only by who needs them.
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      // CommonJS packages among the bundled ones call `require` for Node's own modules.
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
    });
    await bundleScripts(bundle, common, fresh);
    makeCodeCaches(ROOT, fresh);
    await writeFile(path.join(fresh, path.basename(STAMP)), '');
    await rm(DIST, { recursive: true, force: true });
    await rename(fresh, DIST);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  say('build', `bundled src/ into dist/ in ${Date.now() - startedAt} ms`);
}

async function isFresh() {
  if (!existsSync(STAMP)) return false;
  const builtAt = statSync(STAMP).mtimeMs;
  const entries = await readdir(path.join(ROOT, 'src'), { recursive: true, withFileTypes: true });
  // Folders count as well: the time of a folder says that a file in it was removed.
  const sources = entries.map((entry) => path.join(entry.parentPath, entry.name));
  const inputs = [...sources, 'package.json', 'package-lock.json', ...PROGRAMS];
  return inputs.every((input) => statSync(path.resolve(ROOT, input)).mtimeMs < builtAt);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build().catch(fail);
