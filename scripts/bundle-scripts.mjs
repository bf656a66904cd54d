// Bundles the command line and the worker into dist/cli.cjs and dist/worker.cjs: one script each, which starts much faster than
// modules that load each other.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { say } from './say.mjs';

/** Libraries that most commands do not need: files of their own. They share nothing with the rest. */
const APART = ['undici', 'smol-toml'];

/** Modules of Node.js that a cached build does not need: loaded when something of them is first used. */
const LATER = [
  'child_process',
  'dns',
  'fs/promises',
  'http',
  'https',
  'net',
  'perf_hooks',
  'readline',
  'stream',
  'stream/consumers',
  'stream/promises',
  'string_decoder',
  'timers/promises',
  'tls',
  'worker_threads',
  'zlib',
];

/** `bundle`: esbuild's; `common`: the options of all bundles. */
export async function bundleScripts(bundle, common, outdir) {
  const names = APART.map((name) => `^${name}$`).join('|');
  await bundle({
    ...common,
    entryPoints: { cli: 'src/cli/entry.ts', worker: 'src/worker/process/main.ts' },
    outdir,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': '__url' },
    plugins: [
      {
        name: 'apart',
        setup: (build) =>
          build.onResolve({ filter: new RegExp(names) }, ({ path: name }) => ({
            path: `./${name}.cjs`,
            external: true,
          })),
      },
    ],
    // Not a module but an expression, a function as CommonJS has them: bin/slipway and bin/worker.cjs call it.
    banner: { js: `(function (exports, require, module, __filename, __dirname) {\n${PRELUDE}` },
    footer: { js: '})' },
  });
  await bundle({
    ...common,
    entryPoints: Object.fromEntries(APART.map((name) => [name, name])),
    outdir,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
  });
}

const PRELUDE = `
const __url = require('node:url').pathToFileURL(__filename).href;
require = ((load) => {
  const later = (name) => {
    let loaded;
    const get = () => (loaded ??= load(name));
    const proxy = new Proxy({}, {
      get: (_, key) => get()[key],
      has: (_, key) => key in get(),
      // esbuild makes a namespace for who imports the default: one that inherits from here.
      getPrototypeOf: () => proxy,
    });
    return proxy;
  };
  const names = new Set(${JSON.stringify(LATER.map((name) => `node:${name}`))});
  return (name) => (names.has(name) ? later(name) : load(name));
})(require);
`;

/** Flags of the worker that V8 heeds: it takes only what was compiled under the same (`src/worker/process/flags.ts`). */
const WORKER_FLAGS = ['--max-semi-space-size=1'];

/**
 * Makes dist/cli.cache and dist/worker.cache: what V8 has compiled after some builds that find all in the cache, and after some
 * work of a worker. Without the former, or with another version of Node.js, the first build makes one for its user.
 */
export function makeCodeCaches(root, outdir) {
  const work = mkdtempSync(path.join(os.tmpdir(), 'slipway-code-'));
  try {
    makeCodeCache(root, [], outdir, work, 'cli');
    makeCodeCache(root, WORKER_FLAGS, outdir, work, 'worker');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function makeCodeCache(root, flags, outdir, work, program) {
  const script = path.join(root, 'scripts', 'code-cache.mjs');
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, ...env } = process.env; // flags would be a part of it
  const args = [...flags, script, outdir, path.join(work, program), program];
  const made = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  if (made.status !== 0) say('build', `no cache of compiled code for ${program}:\n${made.stderr}`);
}
