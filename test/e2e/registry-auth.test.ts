import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { hostTable, test, type RegistryBench } from '../support/registry-workspace.js';
import type { Workspace } from '../support/workspace.js';

const PASSWORD = 'p4ss: wörd"';

/** An image in the store, under this name. */
async function built(work: Workspace, bench: RegistryBench, name: string): Promise<void> {
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
  await bench.build('-t', name);
}

async function login(
  bench: RegistryBench,
  host: string,
  user: string,
  password: string,
  expected = 0,
): Promise<string> {
  const ended = await bench.run(['login', '-u', user, '--password-stdin', host], { input: password });
  expect(ended.code, ended.output).toBe(expected);
  expect(ended.output).not.toContain(password);
  return ended.output;
}

test('basic authentication: nobody, a wrong password, login, logout', async ({ work, bench }) => {
  const registry = await bench.start({ users: { app: PASSWORD } });
  const name = `${registry.host}/app:1`;
  await built(work, bench, name);
  const file = path.join(bench.dockerConfig, 'config.json');

  const nobody = await bench.run(['push', name]);
  expect(nobody.code).toBe(1);
  expect(nobody.stderr).toContain(`slipway login ${registry.host}`);

  expect(await login(bench, registry.host, 'app', 'n0t-th1s', 1)).toMatch(/401|denied|password/);
  expect(existsSync(file)).toBe(false);

  await login(bench, registry.host, 'app', PASSWORD);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const auth = Buffer.from(`app:${PASSWORD}`).toString('base64');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ auths: { [registry.host]: { auth } } });
  const pushed = await bench.ok(['push', name]);
  expect(registry.tagged('app', '1')?.digest).toBe(pushed.stdout.trim());
  expect(pushed.output).not.toContain(auth);
  await bench.ok(['pull', name, '--root', work.path('other')]);

  await bench.ok(['logout', registry.host]);
  expect(readFileSync(file, 'utf8')).not.toContain(auth);
  expect((await bench.run(['push', name])).code).toBe(1);
});

test('tokens: pulls of nobody, pushes of who may, each for what is needed', async ({ work, bench }) => {
  const tokens = await bench.startTokens({
    users: {
      app: { password: PASSWORD, may: (repository) => (repository === 'team/app' ? ['pull', 'push'] : []) },
      other: { password: 'ma1-pull', may: () => ['pull'] },
    },
    anonymous: (repository) => (repository === 'team/app' ? ['pull'] : []),
  });
  const registry = await bench.start({ tokens });
  const name = `${registry.host}/team/app:1`;
  await built(work, bench, name);

  const nobody = await bench.run(['push', name]);
  expect(nobody.code).toBe(1);
  expect(nobody.stderr).toContain(`slipway login ${registry.host}`);

  await login(bench, registry.host, 'app', 'n0t-th1s', 1);
  await login(bench, registry.host, 'other', 'ma1-pull');
  expect((await bench.run(['push', name])).code).toBe(1);
  await login(bench, registry.host, 'app', PASSWORD);
  await bench.ok(['push', name]);
  expect(tokens.requests.at(-1)).toMatchObject({ user: 'app' });
  expect(
    tokens.requests.flatMap(({ scopes }) => scopes).every((scope) => scope.startsWith('repository:team/app:')),
  ).toBe(true);
  expect((await bench.run(['copy', `store:${name}`, `${registry.host}/other/app:1`])).code).toBe(1);

  await bench.ok(['logout', registry.host]);
  await bench.ok(['pull', name, '--root', work.path('other')]);
  expect(tokens.requests.at(-1)).toMatchObject({ how: 'anonymous', scopes: ['repository:team/app:pull'] });
});

test('a token service over plain HTTP gets no password for a registry that speaks HTTPS', async ({ work, bench }) => {
  const tokens = await bench.startTokens({ users: { app: { password: 'x', may: () => ['pull', 'push'] } } });
  const registry = await bench.start({ tls: bench.certificates, tokens });
  const name = `${registry.host}/app:1`;
  bench.config(hostTable(registry.host, { ca: [bench.certificates.ca.cert] }));
  await built(work, bench, name);
  bench.dockerAuth({ [registry.host]: { auth: Buffer.from('app:x').toString('base64') } });
  const refused = await bench.run(['push', name]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('over plain HTTP');
  expect(tokens.requests).toEqual([]);
});

test('an identity token of config.json is exchanged, and never sent to the registry', async ({ work, bench }) => {
  const tokens = await bench.startTokens({ users: { app: { password: 'x', may: () => ['pull', 'push'] } } });
  const registry = await bench.start({ tokens });
  const name = `${registry.host}/app:1`;
  await built(work, bench, name);
  const identitytoken = tokens.giveRefreshToken('app');
  bench.dockerAuth({ [registry.host]: { identitytoken } });
  const { output } = await bench.ok(['push', name]);
  expect(output).not.toContain(identitytoken);
  expect(new Set(tokens.requests.map(({ how }) => how))).toEqual(new Set(['refresh_token']));
});

test('HTTPS with an authority of its own: refused, then trusted by config.toml', async ({ work, bench }) => {
  const registry = await bench.start({ tls: bench.certificates });
  const name = `${registry.host}/app:1`;
  await built(work, bench, name);
  const refused = await bench.run(['push', name]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('signed by an unknown authority');
  expect(refused.stderr).toContain('config.toml');
  bench.config(hostTable(registry.host, { ca: [bench.certificates.ca.cert] }));
  const pushed = await bench.ok(['push', name]);
  expect(registry.tagged('app', '1')?.digest).toBe(pushed.stdout.trim());
  bench.config('');
  await bench.ok(['push', name], { env: { NODE_EXTRA_CA_CERTS: bench.certificates.ca.cert } });
});

test('HTTPS that asks for a certificate of the client', async ({ work, bench }) => {
  const registry = await bench.start({ tls: bench.certificates, clientCertificates: true });
  const name = `${registry.host}/app:1`;
  await built(work, bench, name);
  const { ca, client } = bench.certificates;
  bench.config(hostTable(registry.host, { ca: [ca.cert] }));
  const refused = await bench.run(['push', name]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/certificate/);
  const keypair = `[[registry."${registry.host}".keypair]]\nkey = "${client.key}"\ncert = "${client.cert}"\n`;
  bench.config(hostTable(registry.host, { ca: [ca.cert] }) + keypair);
  await bench.ok(['push', name]);
});

test('a base that only some may read', async ({ work, bench }) => {
  const registry = await bench.start({ users: { app: PASSWORD } });
  const name = `${registry.host}/private:1`;
  await built(work, bench, name);
  await login(bench, registry.host, 'app', PASSWORD);
  await bench.ok(['push', name]);
  await bench.ok(['logout', registry.host]);
  work.write({ Dockerfile: `FROM ${name}\nCOPY b /\n`, b: 'b' });
  const elsewhere = ['build', '--root', work.path('elsewhere'), '-t', 'on-private', work.context];
  const refused = await bench.run(elsewhere);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('Dockerfile:1');
  expect(refused.stderr).toContain(`slipway login ${registry.host}`);
  await login(bench, registry.host, 'app', PASSWORD);
  const { output } = await bench.ok(elsewhere);
  expect(output).not.toContain(PASSWORD);
});

test('insecure: a certificate that nobody vouches for is taken where that is said', async ({ work, bench }) => {
  const registry = await bench.start({ tls: bench.certificates });
  const name = `${registry.host}/app:1`;
  await built(work, bench, name);
  expect((await bench.run(['push', name])).code).toBe(1);
  await bench.ok(['push', '--insecure', name]);
  await bench.build('-o', `type=registry,name=${registry.host}/app:2,registry.insecure=true`);
  expect(registry.tagged('app', '2')).toEqual(registry.tagged('app', '1'));
  const pull = ['pull', '--root', work.path('other'), name];
  expect((await bench.run(pull)).code).toBe(1);
  bench.config(hostTable(registry.host, { insecure: true }));
  await bench.ok(pull);
});
