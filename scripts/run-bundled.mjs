import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';

const ROOT = path.dirname(import.meta.dirname);

/** Bundles a TypeScript program of this project into dist/NAME.js, builds src/ if it is newer, and runs the program here. */
export async function runBundled(entry, name) {
  const outfile = path.join(ROOT, 'dist', `${name}.js`);
  await build();
  const { build: bundle } = await import('esbuild');
  await bundle({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  await import(pathToFileURL(outfile).href);
}
