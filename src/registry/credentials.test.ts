import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  mkdtempSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setMaxListeners } from 'node:events';
import { inspect } from 'node:util';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { CredentialQuery, Credentials } from './credentials.js';
import { StoredCredentials } from './credentials-stored.js';
import { removeCredentials, storeCredentials } from './credentials-update.js';

const { signal } = new AbortController();
setMaxListeners(0, signal);
let dir: string;
let env: NodeJS.ProcessEnv;
let config: string;

beforeEach(() => {
  const made = mkdtempSync(path.join(tmpdir(), 'slipway-credentials-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  dir = made;
  env = { HOME: dir, PATH: `${dir}/bin:${process.env['PATH']}` };
  config = path.join(dir, '.docker/config.json');
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const basic = (username: string, password: string): Credentials => ({ kind: 'basic', username, password });

function write(file: string, document: unknown): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document));
}

async function find(registry: string, repository?: string, timeoutMs?: number): Promise<Credentials | undefined> {
  const query: CredentialQuery = { registry, ...(repository !== undefined && { repository }) };
  return await new StoredCredentials({ env, ...(timeoutMs !== undefined && { timeoutMs }) }).find(query, { signal });
}

/** A program that keeps what it is given in a file, as the helpers of the systems do. */
function makeHelper(name: string, script: string): void {
  const file = path.join(dir, 'bin', `docker-credential-${name}`);
  write(file, `#!/bin/sh\ncd '${dir}' || exit 9\n${script}\n`);
  chmodSync(file, 0o755);
}

test('nobody, as long as there is no file, or nothing in it', async () => {
  expect(await find('a.test')).toBeUndefined();
  write(config, '\n');
  expect(await find('a.test')).toBeUndefined();
  write(config, { auths: { 'a.test': {} }, HttpHeaders: {} });
  expect(await find('a.test')).toBeUndefined();
});

test('all the forms that an entry has', async () => {
  write(config, {
    auths: {
      'a.test': { auth: base64('user:pass:word') },
      'https://b.test': { username: 'user', password: 'b' },
      'https://c.test:5000/v1/': { auth: base64('user:c'), identitytoken: 'identity' },
      'http://d.test/v2/': { registrytoken: 'bearer' },
      'https://index.docker.io/v1/': { auth: base64('user:hub') },
      'e.test': { auth: base64('<token>:identity') },
      'https://f.test': { auth: base64('user:other') },
      'f.test': { auth: base64('user:plain\0\0') },
    },
  });
  expect(await find('a.test')).toEqual(basic('user', 'pass:word'));
  expect(await find('b.test')).toEqual(basic('user', 'b'));
  expect(await find('c.test:5000')).toEqual({ kind: 'identity-token', token: 'identity' });
  expect(await find('c.test')).toBeUndefined();
  expect(await find('d.test')).toEqual({ kind: 'registry-token', token: 'bearer' });
  expect(await find('docker.io', 'library/node')).toEqual(basic('user', 'hub'));
  expect(await find('e.test')).toEqual({ kind: 'identity-token', token: 'identity' });
  expect(await find('f.test')).toEqual(basic('user', 'plain'));
});

test('the entry of a repository, or of what it lies in, counts more than that of its registry', async () => {
  write(config, {
    auths: {
      'a.test': { auth: base64('u:all') },
      'a.test/team': { auth: base64('u:team') },
      'a.test/team/app': { auth: base64('u:app') },
      'b.test/team': { auth: base64('u:b') },
    },
  });
  expect(await find('a.test', 'team/app')).toEqual(basic('u', 'app'));
  expect(await find('a.test', 'team/app/deep')).toEqual(basic('u', 'app'));
  expect(await find('a.test', 'team/application')).toEqual(basic('u', 'team'));
  expect(await find('a.test', 'other')).toEqual(basic('u', 'all'));
  expect(await find('b.test', 'other')).toBeUndefined();
});

test('files of other tools are read too, the variable first', async () => {
  const entry = (user: string): object => ({
    auths: { [`${user}.test`]: { auth: base64(`${user}:x`) }, 'all.test': { auth: base64(`${user}:x`) } },
  });
  Object.assign(env, { XDG_RUNTIME_DIR: path.join(dir, 'run'), REGISTRY_AUTH_FILE: path.join(dir, 'named.json') });
  write(path.join(dir, 'run/containers/auth.json'), entry('podman'));
  write(path.join(dir, '.config/containers/auth.json'), entry('kept'));
  write(config, entry('docker'));
  expect(await find('podman.test')).toEqual(basic('podman', 'x'));
  expect(await find('kept.test')).toEqual(basic('kept', 'x'));
  expect(await find('all.test')).toEqual(basic('docker', 'x'));
  write(path.join(dir, 'named.json'), entry('named'));
  expect(await find('all.test')).toEqual(basic('named', 'x'));
  env['DOCKER_AUTH_CONFIG'] = JSON.stringify(entry('variable'));
  expect(await find('all.test')).toEqual(basic('variable', 'x'));
  env['DOCKER_CONFIG'] = path.join(dir, 'elsewhere');
  expect(await find('docker.test')).toBeUndefined();
});

test('what cannot be read is an error that quotes nothing', async () => {
  write(config, '{"auths": {"a.test": {"auth": "c2VjcmV0"} "');
  const broken = await find('a.test').catch((error: unknown) => error);
  expect(broken).toMatchObject({ code: 'CONFIG_INVALID', message: `\`${config}\` is not JSON` });
  write(config, { auths: { 'a.test': { auth: base64('secret') } } });
  const damaged = await find('a.test').catch((error: unknown) => error);
  expect(damaged).toMatchObject({ code: 'CONFIG_INVALID', message: `\`${config}\`: the entry \`a.test\` is damaged` });
  for (const one of [broken, damaged]) expect(inspect(one, { depth: null })).not.toMatch(/secret|c2VjcmV0/);
  write(config, { auths: [] });
  await expect(find('a.test')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

test('helpers are asked for their registries by the name that Docker has for them', async () => {
  makeHelper('one', `test "$1" = get && read server && printf '{"Username":"one","Secret":"%s"}' "$server"`);
  makeHelper('two', `echo 'credentials not found in native keychain'; exit 1`);
  write(config, {
    auths: { 'b.test': { auth: base64('b:inline') } },
    credHelpers: { 'a.test': 'one', 'docker.io': 'one' },
    credsStore: 'two',
  });
  expect(await find('a.test')).toEqual(basic('one', 'a.test'));
  expect(await find('docker.io')).toEqual(basic('one', 'https://index.docker.io/v1/'));
  expect(await find('b.test')).toEqual(basic('b', 'inline'));
  expect(await find('c.test')).toBeUndefined();
});

test('a helper that fails is named, and what it says is not', async () => {
  write(config, {
    credHelpers: { 'a.test': 'bad', 'b.test': 'talk', 'c.test': 'none', 'd.test': '../x', 'e.test': 'silent' },
  });
  makeHelper('bad', 'echo hunter2 >&2; echo hunter2; exit 3');
  makeHelper('talk', 'echo hunter2');
  makeHelper('silent', 'exec sleep 60');
  const failures = await Promise.all(
    ['a', 'b', 'c', 'd', 'e'].map((one) =>
      find(`${one}.test`, undefined, one === 'e' ? 300 : undefined).catch((error: unknown) => error),
    ),
  );
  expect(failures.map((one) => (one as Error).message)).toEqual([
    'the credential helper `docker-credential-bad get` failed: it ended with code 3',
    'the credential helper `docker-credential-talk get` failed: its answer is not JSON',
    'the credential helper `docker-credential-none` is no program on the PATH',
    '`../x` is not the name of a credential helper',
    'the credential helper `docker-credential-silent get` failed: it does not answer',
  ]);
  for (const one of failures) {
    expect(one).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(inspect(one, { depth: null })).not.toContain('hunter2');
  }
});

test('a login stays in the file, with all else that stands there, for nobody but its owner', async () => {
  const others = {
    psFormat: 'x',
    auths: { 'b.test': { auth: base64('b:b') } },
    proxies: { default: { noProxy: 'x' } },
  };
  write(config, others);
  const login = { registry: 'a.test', username: 'user', password: 'pass:word' };
  expect(await storeCredentials(login, { env }, { signal })).toEqual({ kind: 'file', file: config });
  expect(statSync(config).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({
    ...others,
    auths: { ...others.auths, 'a.test': { auth: base64('user:pass:word') } },
  });
  expect(await find('a.test')).toEqual(basic('user', 'pass:word'));
  await storeCredentials({ registry: 'docker.io', username: 'u', password: 'p' }, { env }, { signal });
  expect(JSON.parse(readFileSync(config, 'utf8')).auths['https://index.docker.io/v1/']).toEqual({
    auth: base64('u:p'),
  });
  for (const registry of ['a.test', 'docker.io'])
    expect(await removeCredentials(registry, { env }, { signal })).toBe(true);
  expect(await removeCredentials('a.test', { env }, { signal })).toBe(false);
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual(others);
});

test('the first login makes the folder; a link to the file stays a link; a damaged file stays as it is', async () => {
  const login = { registry: 'a.test', username: 'u', password: 'p' };
  env['DOCKER_CONFIG'] = path.join(dir, 'new/folder');
  await storeCredentials(login, { env }, { signal });
  expect(statSync(env['DOCKER_CONFIG']).mode & 0o777).toBe(0o700);
  delete env['DOCKER_CONFIG'];
  const target = path.join(dir, 'dotfiles/docker.json');
  write(target, {});
  mkdirSync(path.dirname(config));
  symlinkSync(target, config);
  await storeCredentials(login, { env }, { signal });
  expect(lstatSync(config).isSymbolicLink()).toBe(true);
  expect(readFileSync(target, 'utf8')).toContain('a.test');
  writeFileSync(target, '{"auths"');
  await expect(storeCredentials(login, { env }, { signal })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(readFileSync(target, 'utf8')).toBe('{"auths"');
});

test('logins at the same time are all kept', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `r${i}.test`);
  const store = (registry: string): Promise<unknown> =>
    storeCredentials({ registry, username: 'u', password: 'p' }, { env }, { signal });
  await Promise.all(names.map(store));
  expect(Object.keys(JSON.parse(readFileSync(config, 'utf8')).auths).toSorted()).toEqual(names.toSorted());
});

test('a login goes into the helper, and into the file without its password', async () => {
  makeHelper(
    'keep',
    'case $1 in store) cat > kept;; get) test -f kept && cat kept || { echo credentials not found; exit 1; };; erase) rm kept;; esac',
  );
  write(config, { credsStore: 'keep' });
  const login = { registry: 'a.test', username: 'user', password: 'secret' };
  expect(await storeCredentials(login, { env }, { signal })).toEqual({
    kind: 'helper',
    program: 'docker-credential-keep',
  });
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({ credsStore: 'keep', auths: { 'a.test': {} } });
  expect(JSON.parse(readFileSync(path.join(dir, 'kept'), 'utf8'))).toEqual({
    ServerURL: 'a.test',
    Username: 'user',
    Secret: 'secret',
  });
  expect(await find('a.test')).toEqual(basic('user', 'secret'));
  expect(await removeCredentials('a.test', { env }, { signal })).toBe(true);
  expect(existsSync(path.join(dir, 'kept'))).toBe(false);
  expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({ credsStore: 'keep', auths: {} });
});
