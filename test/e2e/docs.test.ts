import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { pageFaults, unknownFlags } from '../support/docs.js';
import { test, type RegistryBench } from '../support/registry-workspace.js';
import type { Workspace } from '../support/workspace.js';

/** Some thirty commands, on a machine that does other things too. */
const PATIENCE = { timeout: 300_000 };
const DOCS = path.join(packageRoot(), 'docs');

test('every command of docs/registries.md does what the page says', PATIENCE, async ({ work, bench }) => {
  const open = await bench.start();
  const users = await bench.start({ users: { ci: 'pass word' } });
  const company = await bench.start({ tls: bench.certificates });
  const dir = pageDirectory(work);
  writeFileSync(path.join(dir, 'password.txt'), 'pass word\n');
  const replace = {
    'localhost:5000': `localhost:${open.port}`,
    'localhost:5001': `localhost:${users.port}`,
    'localhost:5443': `localhost:${company.port}`,
    '/etc/company/ca.pem': bench.certificates.ca.cert,
  };
  expect(await pageFaults(path.join(DOCS, 'registries.md'), { replace, dir, env: pageEnv(work, bench) })).toEqual([]);
});

test('every command of docs/outputs.md does what the page says', PATIENCE, async ({ work, bench }) => {
  const open = await bench.start();
  const dir = pageDirectory(work);
  const replace = { 'localhost:5000': `localhost:${open.port}` };
  expect(await pageFaults(path.join(DOCS, 'outputs.md'), { replace, dir, env: pageEnv(work, bench) })).toEqual([]);
});

test('every command of docs/no-run.md does what the page says', PATIENCE, async ({ work, bench }) => {
  const dir = pageDirectory(work);
  expect(await pageFaults(path.join(DOCS, 'no-run.md'), { replace: {}, dir, env: pageEnv(work, bench) })).toEqual([]);
});

test('every command of docs/store.md does what the page says', PATIENCE, async ({ work, bench }) => {
  const dir = pageDirectory(work);
  expect(await pageFaults(path.join(DOCS, 'store.md'), { replace: {}, dir, env: pageEnv(work, bench) })).toEqual([]);
});

test('every command of docs/kaniko.md does what the page says', PATIENCE, async ({ work, bench }) => {
  const open = await bench.start();
  const dir = pageDirectory(work);
  const executor = path.join(work.path('home'), 'executor');
  const env = pageEnv(work, bench);
  symlinkSync(path.join(packageRoot(), 'bin/slipway'), executor);
  const replace = { 'localhost:5000': `localhost:${open.port}`, '/kaniko/executor': executor };
  expect(await pageFaults(path.join(DOCS, 'kaniko.md'), { replace, dir, env })).toEqual([]);
});

test('the command line knows every command and flag that a page names', () => {
  const pages = readdirSync(DOCS).map((name) => path.join(DOCS, name));
  const all = [path.join(packageRoot(), 'README.md'), ...pages.filter((file) => file.endsWith('.md'))];
  expect(all.flatMap(unknownFlags)).toEqual([]);
});

/** Where the commands of a page begin. */
function pageDirectory(work: Workspace): string {
  const dir = work.path('page');
  mkdirSync(dir);
  return dir;
}

/** As in a shell of somebody who has set nothing: home, credentials, settings and store are fresh. */
function pageEnv(work: Workspace, bench: RegistryBench): NodeJS.ProcessEnv {
  const own = /^(DOCKER_CONFIG|SLIPWAY_.*|XDG_(CONFIG|DATA|CACHE)_HOME|BUILDKIT_.*|SOURCE_DATE_EPOCH)$/;
  const inherited = Object.entries(process.env).filter(([name]) => !own.test(name));
  const { DOCKER_CONFIG: _, SLIPWAY_CONFIG: __, ...noProxies } = bench.env;
  const home = work.path('home');
  mkdirSync(home);
  return {
    ...Object.fromEntries(inherited),
    ...noProxies,
    HOME: home,
    PATH: `${path.join(packageRoot(), 'bin')}:${process.env['PATH']}`,
  };
}
