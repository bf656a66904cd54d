import { expect } from 'vitest';
import { writeLayout } from '../support/layout.js';
import { TestProxy } from '../support/registry-proxy.js';
import { hostTable, test, type RegistryBench } from '../support/registry-workspace.js';
import type { TestRegistry } from '../support/registry.js';
import { makeTar } from '../support/tar.js';
import type { Workspace } from '../support/workspace.js';

// By which way a registry is reached: mirrors, plain HTTP, proxies.

async function putApp(work: Workspace, bench: RegistryBench, registry: TestRegistry, content = 'a'): Promise<void> {
  const dir = work.path(`image-${content}`);
  writeLayout(dir, { layers: [makeTar([{ path: 'file', content }])] });
  const to = `docker://${registry.host}/team/app:1`;
  await bench.skopeo('copy', '--dest-tls-verify=false', `oci:${dir}`, to);
  await registry.takeRequests();
}

test('a mirror is asked first, and the registry itself not at all', async ({ work, bench }) => {
  const [origin, mirror] = [await bench.start(), await bench.start()];
  await putApp(work, bench, origin, 'origin');
  await putApp(work, bench, mirror, 'mirror');
  bench.config(hostTable(origin.host, { mirrors: [mirror.host] }));
  await bench.ok(['pull', `${origin.host}/team/app:1`]);
  expect(await origin.takeRequests()).toEqual([]);
  expect((await mirror.takeRequests()).some(({ path }) => path.includes('/blobs/'))).toBe(true);
  // The name is the origin's, and pushes go there.
  await bench.ok(['push', `${origin.host}/team/app:1`]);
  expect(origin.tagged('team/app', '1')).toEqual(mirror.tagged('team/app', '1'));
  expect((await mirror.takeRequests()).filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
});

test('a mirror that is down, and one that has not got it, are passed over', async ({ work, bench }) => {
  const [origin, down, empty] = [await bench.start(), await bench.start(), await bench.start()];
  await putApp(work, bench, origin);
  await down.stop();
  bench.config(hostTable(origin.host, { mirrors: [down.host, empty.host] }));
  await bench.ok(['pull', `${origin.host}/team/app:1`]);
  expect((await empty.takeRequests()).some(({ status }) => status === 404)).toBe(true);
  expect((await origin.takeRequests()).some(({ path }) => path.includes('/blobs/'))).toBe(true);
});

test('a registry that is a cache of another serves as its mirror', async ({ work, bench }) => {
  const origin = await bench.start();
  await putApp(work, bench, origin);
  const mirror = await bench.start({ mirrorOf: origin.url });
  bench.config(hostTable('registry.test', { mirrors: [mirror.host] }));
  work.dockerfile('FROM registry.test/team/app:1\n');
  expect((await work.build([], { env: bench.env })).text('file')).toBe('a');
});

test('plain HTTP to another host is spoken only where config.toml says so', async ({ work, bench }) => {
  const registry = await bench.start();
  await putApp(work, bench, registry);
  await using proxy = await TestProxy.start(registry.port);
  const env = { HTTP_PROXY: `http://${proxy.host}`, HTTPS_PROXY: `http://${proxy.host}` };
  const name = 'registry.test/team/app:1';
  const refused = await bench.run(['pull', name], { env });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('http = true');
  expect(proxy.requests.every((request) => request.startsWith('CONNECT '))).toBe(true);
  bench.config(hostTable('registry.test', { http: true }));
  await bench.ok(['pull', name], { env });
  expect(proxy.requests.at(-1)).toMatch(/^GET http:\/\/registry\.test\/v2\/team\/app\/blobs\//);
});

test('HTTPS goes through the tunnel of a proxy; NO_PROXY leaves a host out', async ({ work, bench }) => {
  const registry = await bench.start({ tls: bench.certificates });
  await using proxy = await TestProxy.start(registry.port);
  proxy.authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  bench.config(hostTable('registry.test', { ca: [bench.certificates.ca.cert] }));
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
  const name = 'registry.test/team/app:1';
  await bench.build('-t', name);

  const noCredentials = await bench.run(['push', name], {
    env: { HTTPS_PROXY: `http://${proxy.host}` },
  });
  expect(noCredentials.code).toBe(1);
  expect(noCredentials.stderr).toContain(proxy.host);
  expect(noCredentials.stderr).toContain('407');

  const env = { https_proxy: `http://me:secret@${proxy.host}` };
  const pushed = await bench.ok(['push', name], { env });
  expect(registry.tagged('team/app', '1')).toBeDefined();
  expect(new Set(proxy.requests)).toEqual(new Set(['CONNECT registry.test:443']));
  expect(pushed.output).not.toContain('secret');

  const before = proxy.requests.length;
  const direct = await bench.run(['pull', name], { env: { ...env, NO_PROXY: 'registry.test' } });
  expect(direct.code).toBe(1);
  expect(direct.stderr).toContain('no such host');
  expect(direct.output).not.toContain('secret');
  expect(proxy.requests).toHaveLength(before);
});
