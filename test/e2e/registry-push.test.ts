import { expect } from 'vitest';
import { mountedBlobs, putManifests, sentBlobs } from '../support/registry-log.js';
import { test } from '../support/registry-workspace.js';

// What a push sends is counted at the registry, by its own log.

test('build --push: what is printed is what the registry has', async ({ work, bench }) => {
  const registry = await bench.start();
  work.write({ Dockerfile: 'FROM scratch\nCOPY a b /\n', a: 'a', b: 'b' });
  const { stdout } = await bench.build('-t', `${registry.host}/team/app:1`, '--push');
  expect(registry.tagged('team/app', '1')?.digest).toBe(stdout.trim());
  const inspected: unknown = JSON.parse(
    await bench.skopeo('inspect', '--tls-verify=false', `docker://${registry.host}/team/app:1`),
  );
  expect(inspected).toMatchObject({ Digest: stdout.trim(), RepoTags: ['1'] });
});

test('a second build --push of the same sends nothing', async ({ work, bench }) => {
  const registry = await bench.start();
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
  const first = await bench.build('-t', `${registry.host}/app:1`, '--push');
  await registry.takeRequests();
  const second = await bench.build('-t', `${registry.host}/app:1`, '--push');
  expect(second.stdout).toBe(first.stdout);
  expect(sentBlobs(await registry.takeRequests())).toEqual([]);
});

test('on a base that the registry has, only what is new is sent: the rest is mounted', async ({ work, bench }) => {
  const registry = await bench.start();
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\nCOPY b /\n', a: 'a', b: 'b' });
  await bench.build('-t', `${registry.host}/base:1`, '--push');
  const base = registry.tagged('base', '1')!.document;
  // As on a machine that never built the base.
  const elsewhere = ['--root', work.path('elsewhere')];
  await registry.takeRequests();
  work.write({ Dockerfile: `FROM ${registry.host}/base:1\nCOPY c /\n`, c: 'c' });
  await bench.build('-t', `${registry.host}/app:1`, '--push', ...elsewhere);
  const requests = await registry.takeRequests();
  const app = registry.tagged('app', '1')!.document;
  expect(app.layers.slice(0, 2)).toEqual(base.layers);
  expect(mountedBlobs(requests).toSorted()).toEqual(base.layers.map(({ digest }) => digest).toSorted());
  expect(sentBlobs(requests).toSorted()).toEqual([app.layers[2]!.digest, app.config.digest].toSorted());
});

test('several names in two registries, in one build', async ({ work, bench }) => {
  const [one, other] = [await bench.start(), await bench.start({ relativeUrls: true })];
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
  const names = [`${one.host}/app:1`, `${one.host}/app:latest`, `${one.host}/copy:1`, `${other.host}/app:1`];
  const { stdout } = await bench.build(...names.flatMap((name) => ['-t', name]), '--push');
  const digests = [
    one.tagged('app', '1'),
    one.tagged('app', 'latest'),
    one.tagged('copy', '1'),
    other.tagged('app', '1'),
  ];
  expect(digests.map((found) => found?.digest)).toEqual(Array(4).fill(stdout.trim()));
  const put = putManifests(await one.takeRequests());
  expect(put.filter((name) => !name.startsWith('sha256:')).toSorted()).toEqual(['1', '1', 'latest']);
});

test('push-by-digest gives no tag', async ({ work, bench }) => {
  const registry = await bench.start();
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
  const output = `type=image,name=${registry.host}/app,push=true,push-by-digest=true`;
  const { stdout } = await bench.build('-o', output);
  expect(putManifests(await registry.takeRequests())).toEqual([stdout.trim()]);
  await bench.ok(['pull', '--root', work.path('other'), `${registry.host}/app@${stdout.trim()}`]);
});

test('push sends an image of the store; a second push sends nothing, a changed image what changed', async ({
  work,
  bench,
}) => {
  const registry = await bench.start();
  const name = `${registry.host}/app:1`;
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\nCOPY b /\n', a: 'a', b: 'b' });
  await bench.build('-t', name);
  await bench.ok(['push', name]);
  const first = registry.tagged('app', '1')!;
  const { config, layers } = first.document;
  expect(sentBlobs(await registry.takeRequests()).toSorted()).toEqual(
    [config, ...layers].map(({ digest }) => digest).toSorted(),
  );

  await bench.ok(['push', name]);
  const again = await registry.takeRequests();
  expect([sentBlobs(again), mountedBlobs(again)]).toEqual([[], []]);
  expect(again.filter(({ method }) => method === 'POST' || method === 'PATCH')).toEqual([]);

  work.write({ b: 'changed' });
  await bench.build('-t', name);
  await bench.ok(['push', name]);
  const changed = registry.tagged('app', '1')!.document;
  expect(changed.layers[0]).toEqual(layers[0]);
  expect(sentBlobs(await registry.takeRequests()).toSorted()).toEqual(
    [changed.config.digest, changed.layers[1]!.digest].toSorted(),
  );
});

test('a registry that is not there: a clear error, and the image stays in the store', async ({ work, bench }) => {
  const registry = await bench.start();
  const name = `${registry.host}/app:1`;
  await registry.stop();
  work.write({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' });
  await bench.build('-t', name);
  const { code, stderr } = await bench.run(['push', name]);
  expect(code).toBe(1);
  expect(stderr).toContain(`${registry.host}\`: connection refused`);
  await registry.start();
  await bench.ok(['push', name]);
});
