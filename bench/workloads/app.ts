import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/base/package-root.js';
import { printedBy, type BuildRequest, type Output } from '../builders/builder.js';
import { cachedSteps, type Turn, type Workload, type World } from './workload.js';

const EXAMPLE = path.join(packageRoot(), 'examples/node');
/** RUN and COPY of the last stage at least, which every builder says in some way. */
const CACHED = 3;
const LIST = 'examples/node/Dockerfile';

interface App extends Pick<BuildRequest, 'context' | 'file' | 'bases'> {
  readonly source: string;
}

/** The example, whose RUNs say when they began and ended. */
function prepareApp({ dir, base }: World): App {
  const context = path.join(dir, 'app');
  rmSync(context, { recursive: true, force: true });
  cpSync(EXAMPLE, context, {
    recursive: true,
    filter: (file) => !/node_modules|\/dist(\/|$)/.test(file.slice(EXAMPLE.length)),
  });
  // Not every builder can lend the machine's certificate authorities to a RUN, so they are in the context for all.
  cpSync('/etc/ssl/certs/ca-certificates.crt', path.join(context, 'ca.crt'));
  const own = readFileSync(path.join(EXAMPLE, 'Dockerfile'), 'utf8');
  const copied = own.replace('COPY package.json', 'ENV NODE_EXTRA_CA_CERTS=/app/ca.crt\nCOPY ca.crt package.json');
  const timed = copied.replaceAll(/^RUN (.*)$/gm, 'RUN echo "bench<$(date +%s%N)" && $1 && echo "bench>$(date +%s%N)"');
  if (timed === copied || copied === own) throw new Error(`${LIST} is no longer what this benchmark knows`);
  const file = path.join(context, 'Dockerfile');
  writeFileSync(file, timed);
  const bases = Object.fromEntries(['node:20', 'node:20-slim'].map((name) => [name, base(name)]));
  return { context, file, bases, source: path.join(context, 'src/server.ts') };
}

function pushed({ registry }: World, { builder }: Turn, name: string): Output & { readonly kind: 'push' } {
  return { kind: 'push', ref: `${registry}/${builder}/${name}:latest` };
}

export const noop: Workload = {
  id: 'A',
  title: 'no-op rebuild, Node multi-stage app',
  start: 'warm',
  goal: { peer: 'docker', ratio: 0.6 },
  prepare(world) {
    const app = prepareApp(world);
    return {
      request: () => ({ ...app, output: { kind: 'store' } }),
      check: ({ run }, output) => {
        if (run > 0 && cachedSteps(output) < CACHED) throw new Error(`not all was cached:\n${output}`);
      },
    };
  },
};

export const cold: Workload = {
  id: 'F',
  title: 'cold build of the Node app from a registry, npm ci, push',
  start: 'cold',
  goal: { peer: 'buildkit', ratio: 0.6 },
  prepare(world) {
    const app = prepareApp(world);
    // Nothing of it is in the registry already.
    const name = ({ run }: Turn): string => `cold-${run}`;
    return {
      request: (turn) => ({ ...app, output: pushed(world, turn, name(turn)) }),
      check: (turn) => checkPushed(world, pushed(world, turn, name(turn)).ref, 'listen'),
    };
  },
};

export const changed: Workload = {
  id: 'G',
  title: 'one source line changed, Node app: rebuild and push',
  start: 'warm',
  beyondRuns: true,
  goal: { peer: 'buildkit', ratio: 0.5 },
  prepare(world) {
    const app = prepareApp(world);
    const source = readFileSync(app.source, 'utf8');
    const line = ({ builder, run }: Turn): string => `changed by ${builder}, ${run}`;
    return {
      before: (turn) => writeFileSync(app.source, `${source}\nexport const changed = '${line(turn)}';\n`),
      request: (turn) => ({ ...app, output: pushed(world, turn, 'changed') }),
      check: (turn) => checkPushed(world, pushed(world, turn, 'changed').ref, line(turn)),
    };
  },
};

/** It can be fetched whole, and its program has the text. */
function checkPushed(world: World, ref: string, text: string): void {
  const layout = path.join(world.dir, 'pushed');
  mkdirSync(layout);
  try {
    const from = ['--insecure-policy', 'copy', '--src-tls-verify=false', `docker://${ref}`, `dir:${layout}`];
    printedBy(['skopeo', ...from]);
    const manifest = JSON.parse(readFileSync(path.join(layout, 'manifest.json'), 'utf8')) as {
      readonly layers: readonly { readonly digest: string }[];
    };
    const last = path.join(layout, manifest.layers.at(-1)!.digest.replace('sha256:', ''));
    const program = printedBy(['tar', '-xzOf', last, 'app/dist/server.js']);
    if (!program.toLowerCase().includes(text.toLowerCase())) throw new Error(`${ref}: no \`${text}\` in its program`);
  } finally {
    rmSync(layout, { recursive: true, force: true });
  }
}
