// node scripts/code-cache.mjs DIST WORK: runs builds in the folder WORK with DIST/cli.cjs, and writes what V8 has compiled to
// DIST/cli.cache.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [, , dist, work] = process.argv;
const file = path.join(dist, 'cli.cjs');
const require = createRequire(import.meta.url);
const { compile } = require('../bin/code-cache.cjs');

const script = compile(file, { candidates: [] });
const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(file), module, file, dist);

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
writeFileSync(path.join(dist, 'cli.cache'), script.createCachedData());

async function run(...args) {
  const { stdout, stderr } = process;
  const said = [];
  let code;
  const [out, err] = [stdout.write, stderr.write];
  stdout.write = stderr.write = (text) => said.push(text) > 0;
  try {
    code = await module.exports.run([process.execPath, 'slipway', ...args]);
  } finally {
    [stdout.write, stderr.write] = [out, err];
  }
  if (code !== 0) throw new Error(said.join(''));
}
