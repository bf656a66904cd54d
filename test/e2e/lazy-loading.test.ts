import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { test, type Workspace } from '../support/workspace.js';

/** Files of their own in dist/. */
const LIBRARIES = ['undici', 'smol-toml'];

/** The libraries that are read while a command runs: V8 writes down which scripts it had. */
async function librariesOf(
  work: Workspace,
  name: string,
  args: readonly string[],
  config = '',
): Promise<readonly string[]> {
  const dir = work.path(`coverage-${name}`);
  mkdirSync(dir);
  await work.run(args, { env: { NODE_V8_COVERAGE: dir, SLIPWAY_CONFIG: config, XDG_CONFIG_HOME: work.path('none') } });
  const reports = readdirSync(dir).map((file) => JSON.parse(readFileSync(path.join(dir, file), 'utf8')) as Coverage);
  const urls = reports.flatMap(({ result }) => result.map(({ url }) => url));
  return LIBRARIES.filter((library) => urls.some((url) => url.endsWith(`/dist/${library}.cjs`)));
}

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

test('what needs no registry reads nothing that is for registries', async ({ work }) => {
  work.write({ f: 'x' });
  work.dockerfile('FROM scratch\nCOPY f /f\n');
  await work.build();
  expect(await librariesOf(work, 'version', ['--version'])).toEqual([]);
  expect(await librariesOf(work, 'build', ['build', '--progress', 'plain', '-t', 'test', work.context])).toEqual([]);
  expect(await librariesOf(work, 'images', ['images'])).toEqual([]);
  const login = ['login', '-u', 'alice', '-p', 'x', '127.0.0.1:1'];
  expect(await librariesOf(work, 'login', login)).toEqual(['undici']);
  const config = work.path('config.toml');
  writeFileSync(config, '[registry."127.0.0.1:1"]\nhttp = true\n');
  expect(await librariesOf(work, 'settings', login, config)).toEqual(['undici', 'smol-toml']);
});
