// node scripts/code-cache.mjs DIST WORK PROGRAM: runs builds in the folder WORK with DIST/cli.cjs, and writes what V8 has compiled
// to DIST/cli.cache; or, if PROGRAM is `worker`, does what a worker does in the store of these builds, with DIST/worker.cjs, and
// writes DIST/worker.cache.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [, , dist, work, program] = process.argv;
const require = createRequire(import.meta.url);
const { compile } = require('../bin/code-cache.cjs');

const cli = load('cli');

/** With what most Dockerfiles have, but without RUN, for which a machine may have no isolation. */
const DOCKERFILE = `# syntax=docker/dockerfile:1
ARG FROM=base
FROM \${FROM} AS build
ENV PATH=/usr/bin NAME="value"
WORKDIR /app
COPY package.json ./
COPY --chown=0:0 . .
FROM base
LABEL name=value
ARG VERSION=1
ENV VERSION=\${VERSION:-2}
WORKDIR /app
COPY --from=build /app/package.json /app/src ./
USER 1000:1000
EXPOSE 3000/tcp
HEALTHCHECK CMD true
VOLUME /data
ENTRYPOINT ["program"]
CMD ["argument"]
`;

const context = path.join(work, 'context');
mkdirSync(path.join(context, 'src'), { recursive: true });
for (const name of ['package.json', 'src/a', 'src/b', 'ignored']) writeFileSync(path.join(context, name), name);
writeFileSync(path.join(context, '.dockerignore'), 'ignored\n**/node_modules\n!src/a\n');
writeFileSync(path.join(context, 'Dockerfile'), DOCKERFILE);
writeFileSync(path.join(work, 'Base'), 'FROM scratch\nCOPY src /etc\nCMD ["a"]\n');

const root = ['--root', path.join(work, 'store')];
const layout = path.join(work, 'layout');
// Without a worker, whose program may not be there yet.
const build = ['build', ...root, '--progress=plain', '--isolation=none'];
await run(...build, '-f', path.join(work, 'Base'), '-o', `type=oci,dest=${layout},tar=false`, context);
const whole = [...build, '-t', 'name:tag', `--build-context=base=oci-layout://${layout}`, context];
for (let i = 0; i < 3; i++) await run(...whole);
keep(program, program === 'worker' ? (await serve()).script : cli.script);

function load(name) {
  const file = path.join(dist, `${name}.cjs`);
  const script = compile(file, { candidates: [] });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, dist);
  return { script, exports: module.exports };
}

function keep(name, script) {
  writeFileSync(path.join(dist, `${name}.cache`), script.createCachedData());
}

async function run(...args) {
  const { stdout, stderr } = process;
  const said = [];
  let code;
  const [out, err] = [stdout.write, stderr.write];
  stdout.write = stderr.write = (text) => said.push(text) > 0;
  try {
    code = await cli.exports.run([process.execPath, 'slipway', ...args]);
  } finally {
    [stdout.write, stderr.write] = [out, err];
  }
  if (code !== 0) throw new Error(said.join(''));
}

/** A worker in this process, which is asked for what needs neither a mount nor a process. */
async function serve() {
  const asked = new Map();
  process.send = (message) => {
    if (message.type === 'error') asked.get(message.id)(Promise.reject(new Error(message.error.message)));
    else asked.get(message.id)?.(message.value);
    return true;
  };
  const worker = load('worker');
  const ready = new Promise((resolve) => asked.set(undefined, resolve));
  const storeRoot = path.join(work, 'store');
  const kind = { rung: 'root', trees: 'overlay' };
  writeFileSync(path.join(storeRoot, 'leases/worker'), '');
  process.emit('message', { type: 'settings', settings: { storeRoot, leaseId: 'worker', kind, networkMode: 'host' } });
  await ready;
  mkdirSync(path.join(storeRoot, 'tmp/worker'), { recursive: true });
  let id = 0;
  const ask = (method, request) =>
    new Promise((resolve) => {
      asked.set(++id, resolve);
      process.emit('message', { type: 'call', id, method, request });
    });
  const copy = {
    type: 'copy',
    mode: -1,
    createDestPath: true,
    followSymlink: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
  };
  const action = (src) => ({ input: 0, secondaryInput: 1, output: 0, action: { ...copy, src, dest: '/app/' } });
  const inputs = [
    { kind: 'ref', ref: null },
    { kind: 'context', name: 'context', dir: context, ignore: 'ignored\n' },
  ];
  const made = { actions: [action('/')], face: 'layer', isOfImage: true, description: 'COPY', now: 0 };
  const [first] = await ask('fileOp', { ...made, inputs });
  const base = { kind: 'ref', ref: first };
  await ask('fileOp', { ...made, actions: [action('/app/src')], inputs: [base, base] });
  const paths = ['/app'];
  await ask('contentDigest', { input: base, selection: { paths, followLinks: true, wildcard: true } });
  return worker;
}
