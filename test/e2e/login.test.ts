import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { hostTable, test, type RegistryBench } from '../support/registry-workspace.js';

const run = promisify(execFile);
const PASSWORD = 'w0nder:land';
const users = { alice: PASSWORD };
const HIDDEN = [PASSWORD, Buffer.from(`alice:${PASSWORD}`).toString('base64')];

const stored = (bench: RegistryBench): unknown => JSON.parse(readFileSync(`${bench.dockerConfig}/config.json`, 'utf8'));

test('login with basic authentication, and logout', async ({ bench }) => {
  const { host } = await bench.start({ users });
  const ended = await bench.ok(['login', '-u', 'alice', '--password-stdin', host], { input: `${PASSWORD}\n` });
  expect(ended.stdout).toBe('');
  expect(ended.stderr).toBe(
    `warning: your credentials are stored unencrypted in '${bench.dockerConfig}/config.json'\n` +
      'hint: configure a credential helper: https://docs.docker.com/go/credential-store/\nLogin Succeeded\n',
  );
  expect(stored(bench)).toEqual({ auths: { [host]: { auth: HIDDEN[1] } } });
  expect((await bench.ok(['logout', host])).stderr).toBe(`Removing login credentials for ${host}\n`);
  expect((await bench.ok(['logout', host])).stderr).toBe(`Not logged in to ${host}\n`);
  expect(stored(bench)).toEqual({ auths: {} });
});

test('login with a token service, over TLS with a CA of its own', async ({ bench }) => {
  const may = (): readonly string[] => ['pull', 'push'];
  const tokens = await bench.startTokens({ users: { alice: { password: PASSWORD, may } } });
  const { host } = await bench.start({ tokens });
  await bench.ok(['login', '--username', 'alice', '--password', PASSWORD, `http://${host}/v2/`]);
  expect(stored(bench)).toEqual({ auths: { [host]: { auth: HIDDEN[1] } } });
  expect(tokens.requests.map(({ how }) => how)).toEqual(['basic']);
  const tls = await bench.start({ tls: bench.certificates, users });
  const args = ['login', '-u', 'alice', '--password-stdin', tls.host];
  const refused = await bench.run(args, { input: PASSWORD, env: { NODE_EXTRA_CA_CERTS: '' } });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('its certificate is signed by an unknown authority');
  expect(refused.stderr).toContain(`for [registry."${tls.host}"] in config.toml`);
  bench.config(hostTable(tls.host, { ca: [bench.certificates.ca.cert] }));
  await bench.ok(args, { input: PASSWORD });
});

test('skopeo finds what a login kept, and a login of skopeo counts here', async ({ bench }) => {
  const { host } = await bench.start({ users });
  await bench.ok(['login', '-u', 'alice', '--password-stdin', host], { input: PASSWORD });
  const file = `${bench.dockerConfig}/config.json`;
  const skopeo = async (...args: readonly string[]): Promise<string> =>
    (await run('skopeo', ['login', ...args, host])).stdout;
  expect(await skopeo('--get-login', '--authfile', file)).toBe('alice\n');
  await bench.ok(['logout', host]);
  const denied = await bench.run(['pull', `${host}/app:1`]);
  expect(denied.stderr).toContain(`hint: log in with \`slipway login ${host}\``);
  await skopeo('--authfile', bench.authFile, '--tls-verify=false', '-u', 'alice', '-p', PASSWORD);
  const missing = await bench.run(['pull', `${host}/app:1`], { env: { REGISTRY_AUTH_FILE: bench.authFile } });
  expect(missing.code).toBe(1);
  expect(missing.stderr).not.toContain('log in');
});

test('what does not work says why, keeps nothing and shows no password', async ({ work, bench }) => {
  const { host } = await bench.start({ users });
  const wrong = await bench.run(['login', '-u', 'alice', '--password-stdin', host], { input: `${PASSWORD}!` });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain(`error: logging in to \`${host}\`: the user name or the password is wrong`);
  const noTerminal = await bench.run(['login', host]);
  expect(noTerminal.code).toBe(2);
  expect(noTerminal.stderr).toContain('hint: pipe the password in:');
  const usages = [
    ['login', '--password-stdin', host],
    ['login', '-u', 'alice', '-p', PASSWORD, '--password-stdin', host],
    ['login', '-u', 'alice', '-p', PASSWORD, 'no/registry'],
    ['logout', 'no registry'],
    ['login', '-u', 'alice', '--password-stdin', host], // with an empty stdin
  ];
  for (const args of usages) {
    const ended = await bench.run(args);
    expect([args, ended.code]).toEqual([args, 2]);
    for (const secret of HIDDEN) expect(ended.output).not.toContain(secret);
  }
  for (const secret of HIDDEN) expect(wrong.output).not.toContain(secret);
  expect(existsSync(`${bench.dockerConfig}/config.json`)).toBe(false);
  const gone = await bench.run(['login', '-u', 'alice', '--password-stdin', '127.0.0.1:1'], { input: PASSWORD });
  expect(gone.code).toBe(1);
  expect(gone.stderr).toMatch(/`127\.0\.0\.1:1`: connection refused/);
  expect(existsSync(work.path('store'))).toBe(false);
});

test('on a terminal the password is asked for, and not shown', async ({ bench }) => {
  const { host } = await bench.start({ users });
  const command = `'${process.execPath}' '${path.join(packageRoot(), 'bin/slipway')}' login ${host}`;
  const shown = await new Promise<string>((resolve, reject) => {
    // script(1) gives the program a terminal
    const child = execFile(
      'script',
      ['--quiet', '--return', '--command', command, '/dev/null'],
      { env: { ...process.env, ...bench.env } },
      (error, stdout) => (error ? reject(new Error(`${error.message}\n${stdout}`)) : resolve(stdout)),
    );
    let seen = '';
    let typed = '';
    child.stdout!.on('data', (text: string) => {
      seen += text;
      for (const [question, answer] of [
        ['Username: ', 'alice\r'],
        ['Password: ', `${PASSWORD}\r`],
      ] as const) {
        if (!seen.includes(question) || typed.includes(answer)) continue;
        typed += answer;
        child.stdin!.write(answer);
      }
    });
  });
  expect(shown).toContain('Login Succeeded');
  expect(shown).toContain('alice');
  for (const secret of HIDDEN) expect(shown).not.toContain(secret);
  expect(stored(bench)).toEqual({ auths: { [host]: { auth: HIDDEN[1] } } });
});
