import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { configFile, loadConfig } from './config.js';

let dir: string;
let file: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  const made = mkdtempSync(path.join(tmpdir(), 'slipway-config-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  dir = made;
  file = path.join(dir, 'config.toml');
  env = { HOME: dir, SLIPWAY_CONFIG: file };
});

const DEFAULTS = { mirrors: [], onlyMirrors: false, http: undefined, insecure: false, ca: [], keypairs: [] };

async function fault(text: string): Promise<unknown> {
  writeFileSync(file, text);
  return await loadConfig(env).catch((error: unknown) => error);
}

test('where the file is, and that it need not be', async () => {
  expect(configFile({ HOME: '/h' })).toBe('/h/.config/slipway/config.toml');
  expect(configFile({ HOME: '/h', XDG_CONFIG_HOME: '/x' })).toBe('/x/slipway/config.toml');
  expect(configFile({ HOME: '/h', SLIPWAY_CONFIG: '/s.toml' })).toBe('/s.toml');
  expect((await loadConfig({ HOME: dir })).host('a.test')).toEqual(DEFAULTS);
  await expect(loadConfig(env)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: `cannot read \`${file}\`` });
});

test('the settings of a host', async () => {
  mkdirSync(path.join(dir, 'certs'));
  for (const name of ['z.crt', 'a.crt', 'client.cert', 'client.key', 'README'])
    writeFileSync(path.join(dir, 'certs', name), '');
  writeFileSync(
    file,
    `[registry."docker.io"]
  mirrors = ["mirror.local:5000", "mirror.local:5000/proxy/hub"]
[registry."host:5000"]
  http = true
  insecure = true
  ca = ["file.pem", "/abs/file.pem"]
  keypair = [{ key = "k.pem", cert = "sub/c.pem" }]
[[registry."table:5000".keypair]]
  key = "/k"
  cert = "/c"
[registry.certs]
  http = false
  tlsconfigdir = ["certs"]
`,
  );
  const config = await loadConfig(env);
  const mirrors = ['mirror.local:5000', 'mirror.local:5000/proxy/hub'];
  for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io']) {
    expect(config.host(name)).toEqual({ ...DEFAULTS, mirrors });
  }
  expect(config.host('host:5000')).toEqual({
    ...DEFAULTS,
    http: true,
    insecure: true,
    ca: [path.join(dir, 'file.pem'), '/abs/file.pem'],
    keypairs: [{ key: path.join(dir, 'k.pem'), cert: path.join(dir, 'sub/c.pem') }],
  });
  expect(config.host('table:5000').keypairs).toEqual([{ key: '/k', cert: '/c' }]);
  const certs = (name: string): string => path.join(dir, 'certs', name);
  expect(config.host('certs')).toEqual({
    ...DEFAULTS,
    http: false,
    ca: [certs('a.crt'), certs('z.crt')],
    keypairs: [{ cert: certs('client.cert'), key: certs('client.key') }],
  });
  expect(config.host('host')).toEqual(DEFAULTS);
  writeFileSync(file, '# nothing\n');
  expect((await loadConfig(env)).host('a.test')).toEqual(DEFAULTS);
});

test('faults are told with file, line and remedy', async () => {
  const faults: readonly (readonly [string, number, string, string])[] = [
    ['\n[registry."a"]\nhttp = tru\n', 3, 'invalid value', 'TOML'],
    ['[registry."a"]\n\nhtpp = true\n', 3, 'unknown key `htpp`', 'did you mean `http`?'],
    [
      '[registry."a"]\ncolour = true\n',
      2,
      'unknown key `colour`',
      'the keys are: mirrors, http, insecure, ca, keypair, tlsconfigdir',
    ],
    ['# x\n[registri."a"]\nhttp = true\n', 2, 'unknown key `registri`', 'did you mean `registry`?'],
    ['debug = true\n', 1, 'unknown key `debug`', 'the keys are: registry'],
    ['[registry."b"]\nhttp = true\n[registry."a"]\nhttp = "yes"\n', 4, '`registry.a.http`:', 'buildkitd.toml'],
    [
      '[registry."a"]\nmirrors = [\n  "ok:1",\n  "https://x"]\n',
      2,
      '`registry.a.mirrors.1`: must be `host[:port][/path]`, without a scheme',
      'buildkitd.toml',
    ],
    ['[registry."a"]\nkeypair = [{ kye = "x", cert = "y" }]\n', 2, 'unknown key `kye`', 'did you mean `key`?'],
    ['[registry."a"]\nkeypair = [{ cert = "y" }]\n', 2, '`registry.a.keypair.0.key`:', 'buildkitd.toml'],
    ['[registry."a"]\n[registry."a"]\n', 2, '', 'TOML'],
    ['registry = 1\n', 1, '`registry`:', 'buildkitd.toml'],
    ['[registry."a"]\ntlsconfigdir = ["none"]\n', 0, 'cannot read the folder', ''],
  ];
  for (const [text, line, message, hint] of faults) {
    const found = (await fault(text)) as { readonly code: string; readonly message: string; readonly hint?: string };
    expect([text, found.code]).toEqual([text, 'CONFIG_INVALID']);
    expect(found.message).toContain(`${file}:${line === 0 ? '' : `${line}: `}`);
    expect(found.message).toContain(message);
    expect(found.hint ?? '').toContain(hint);
  }
});
