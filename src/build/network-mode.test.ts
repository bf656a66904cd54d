import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadGcRules } from './gc-rules.js';
import { loadNetworkMode } from './network-mode.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-network-mode-'));
afterAll(() => rmSync(dir, { recursive: true }));
const env = { SLIPWAY_CONFIG: path.join(dir, 'config.toml') };

function write(text: string): void {
  writeFileSync(env.SLIPWAY_CONFIG, text);
}

test('without either, the machine decides', async () => {
  expect(await loadNetworkMode({ HOME: dir })).toBe('auto');
  write('[registry."a.test"]\nhttp = true\n');
  expect(await loadNetworkMode(env)).toBe('auto');
});

test('the file says it, unless the environment does; it does not turn on the removal of caches', async () => {
  write('[worker.oci]\nnetworkMode = "host"\n');
  expect(await loadNetworkMode(env)).toBe('host');
  expect(await loadNetworkMode({ ...env, SLIPWAY_NETWORK_MODE: 'pasta' })).toBe('pasta');
  expect(await loadNetworkMode({ ...env, SLIPWAY_NETWORK_MODE: '' })).toBe('host');
  expect(await loadGcRules(env)).toBeUndefined();
  write('[worker.oci]\nnetworkMode = "host"\ngckeepstorage = 3\n');
  expect(await loadGcRules(env)).toBeDefined();
});

test('what is no mode is told with its place', async () => {
  write('# mine\n[worker.oci]\nnetworkMode = "cni"\n');
  await expect(loadNetworkMode(env)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/config\.toml:3: .*networkMode.* must be one of: auto, host, pasta, slirp4netns/),
  });
  await expect(loadNetworkMode({ SLIPWAY_NETWORK_MODE: 'cni' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
