import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mediaTypes, type Descriptor } from '../../src/oci/descriptor.js';
import { digestOf } from '../../src/oci/digest.js';
import type { Repository } from '../../src/registry/types.js';
import { expectTakenUp, FakeRegistryBench, type BenchOptions } from '../support/fake-registry-bench.js';
import { refuse } from '../support/fake-registry-content.js';

let bench: FakeRegistryBench;

beforeEach(async () => {
  bench = await FakeRegistryBench.start();
});

afterEach(async () => await bench.close());

async function restart(options: BenchOptions): Promise<void> {
  await bench.close();
  bench = await FakeRegistryBench.start(options);
}

async function read(from: Repository, target: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of from.open(target, bench)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('what was pushed is there, is resolved and is read back', async () => {
  const to = bench.pusher();
  const all = [bench.config, bench.layer, bench.manifest];
  for (const one of all) {
    expect(await to.has(one, bench)).toBe(false);
    await to.put(one, bench.content, bench);
    expect(await to.has(one, bench)).toBe(true);
  }
  await to.tag(bench.manifest, 'v1', bench.content, bench);
  const from = bench.puller();
  expect(await from.resolve({ tag: 'v1' }, bench)).toEqual(bench.manifest);
  expect(await from.resolve({ digest: bench.manifest.digest }, bench)).toEqual(bench.manifest);
  for (const one of all) expect((await read(from, one)).equals(bench.bytes(one))).toBe(true);
  expect((await from.readDocument(bench.manifest, bench)).equals(bench.bytes(bench.manifest))).toBe(true);
  expect(bench.fake.openUploads).toBe(0);
});

test('of what is there nothing is sent', async () => {
  await bench.push();
  const before = bench.fake.requests.length;
  for (const one of [bench.config, bench.layer, bench.manifest]) await bench.pusher().put(one, bench.content, bench);
  expect(bench.fake.requests.slice(before).map(({ method }) => method)).toEqual(['HEAD', 'HEAD', 'HEAD']);
});

test('what was found missing is sent without being looked for again', async () => {
  expect(await bench.pusher().has(bench.layer, bench)).toBe(false);
  const before = bench.fake.requests.length;
  await bench.pusher().put(bench.layer, bench.content, bench);
  expect(bench.fake.requests.slice(before).map(({ method }) => method)).not.toContain('HEAD');
});

test('a blob of another size is not there', async () => {
  bench.there.addBlob(bench.bytes(bench.layer));
  expect(await bench.pusher().has(bench.layer, bench)).toBe(true);
  expect(await bench.pusher().has({ ...bench.layer, size: 1 }, bench)).toBe(false);
});

test('a name can be given to what only the registry has', async () => {
  bench.publish();
  bench.content.blobs.delete(bench.manifest.digest);
  await bench.pusher().tag(bench.manifest, 'v2', bench.content, bench);
  expect(bench.there.tags.get('v2')).toBe(bench.manifest.digest);
});

test('an empty blob', async () => {
  const empty = bench.content.add('application/octet-stream', Buffer.alloc(0));
  await bench.pusher().put(empty, bench.content, bench);
  expect(bench.there.blobs.get(empty.digest)).toEqual(Buffer.alloc(0));
  expect(await read(bench.puller(), empty)).toEqual(Buffer.alloc(0));
});

test('a document that is too large is not asked for', async () => {
  const huge = { ...bench.manifest, size: 5 * 1024 ** 2 };
  await expect(bench.puller().readDocument(huge, bench)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  expect(bench.fake.requests).toEqual([]);
});

test('progress ends with all bytes, and may begin again', async () => {
  bench.fake.misbehave({ method: 'PATCH', times: 1, cutRequestAt: 0 });
  const told: number[] = [];
  await bench.pusher().put(bench.layer, bench.content, { ...bench, onProgress: (current) => told.push(current) });
  expect(told.at(-1)).toBe(bench.layer.size);
  expect(Math.max(...told)).toBe(bench.layer.size);
});

test('the same blob put twice at once is sent once, and a document is asked for once', async () => {
  bench.fake.misbehave({ delayMs: 20 });
  await Promise.all([1, 2, 3].map(() => bench.pusher().put(bench.layer, bench.content, bench)));
  expect(bench.there.uploaded).toEqual([bench.layer.digest]);
  bench.publish();
  await Promise.all([1, 2, 3].map(() => bench.puller().readDocument(bench.manifest, bench)));
  expect(bench.fake.requests.filter(({ method, status }) => method === 'GET' && status === 200)).toHaveLength(3); // two tokens
});

test('what one registry does not give to another is told of the one that fails', async () => {
  bench.publish(bench.fake.repository('acme/origin'));
  bench.fake.misbehave(
    { method: 'GET', path: 'acme/origin/blobs', times: 1, cutAnswerAt: 5000 },
    { method: 'GET', path: 'acme/origin/blobs', instead: 'cut' },
  );
  const registry = bench.fake.host;
  const origin = bench.registries.repository({ registry, repository: 'acme/origin' }, { use: 'pull' });
  await expect(bench.pusher().put(bench.layer, origin, bench)).rejects.toMatchObject({
    code: 'REGISTRY_FAILED',
    message: expect.stringMatching(/^pulling .*acme\/origin@/),
  });
  expect(bench.fake.openUploads).toBe(0);
});

test('an abort ends a push and takes the upload back', async () => {
  const stop = new AbortController();
  bench.fake.misbehave({ method: 'PATCH', delayMs: 60_000, meanwhile: () => stop.abort(new Error('enough')) });
  await expect(bench.pusher().put(bench.layer, bench.content, { signal: stop.signal })).rejects.toThrow('enough');
  expect(bench.fake.openUploads).toBe(0);
});

test('an abort ends a pull', async () => {
  bench.publish();
  const stop = new AbortController();
  bench.fake.misbehave({ method: 'GET', path: 'blobs', after: 1, stallAnswerAt: 10 });
  const reading = (async () => {
    for await (const chunk of bench.puller().open(bench.layer, { signal: stop.signal })) {
      expect(chunk).toHaveLength(10);
      stop.abort(new Error('enough'));
    }
  })();
  await expect(reading).rejects.toThrow('enough');
});

test('a pull that is left in the middle asks for no more', async () => {
  bench.publish();
  for await (const chunk of bench.puller().open(bench.layer, bench)) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  const { length } = bench.fake.requests;
  await sleep(50);
  expect(bench.fake.requests).toHaveLength(length);
});

test('a blob that another repository has is mounted', async () => {
  bench.fake.repository('acme/base').addBlob(bench.bytes(bench.layer));
  await bench.pusher(['acme/nothing', 'acme/base']).put(bench.layer, bench.content, bench);
  expect(bench.isPushed(bench.layer)).toBe(true);
  expect(bench.there.mounted).toEqual([bench.layer.digest]);
  expect(bench.there.uploaded).toEqual([]);
  expect(bench.fake.openUploads).toBe(0);
});

test('a blob that cannot be mounted goes into the upload that was begun for it', async () => {
  await bench.pusher(['acme/base', bench.name]).put(bench.layer, bench.content, bench);
  expect(bench.isPushed(bench.layer)).toBe(true);
  const posts = bench.fake.requests.filter(({ method, status }) => method === 'POST' && status === 202);
  expect(posts.map(({ url }) => url.searchParams.get('from'))).toEqual(['acme/base']);
});

test.each([403, 400, 404])('a mount that is answered %i hinders no upload', async (status) => {
  const isMount = /uploads\/$/;
  bench.fake.misbehave({ method: 'POST', path: isMount, after: 0, times: 1, instead: refuse(status, 'DENIED') });
  await bench.pusher(['acme/base']).put(bench.layer, bench.content, bench);
  expect(bench.isPushed(bench.layer)).toBe(true);
});

test('a blob is streamed as it is made', async () => {
  const upload = await bench.pusher().upload(bench);
  const bytes = bench.bytes(bench.layer);
  for (let at = 0; at < bytes.length; at += 9999) await upload.write(bytes.subarray(at, at + 9999));
  expect(bench.there.blobs.size).toBe(0);
  await upload.commit(bench.layer);
  expect(bench.isPushed(bench.layer)).toBe(true);
  expect(bench.fake.openUploads).toBe(0);
});

test('what is streamed waits for a registry that takes its time', async () => {
  bench.fake.misbehave({ method: 'PATCH', delayMs: 300 });
  const upload = await bench.pusher().upload(bench);
  const chunk = Buffer.alloc(1024 * 1024);
  let written = 0;
  const writing = (async () => {
    for (; written < 64; written++) await upload.write(chunk);
  })();
  await sleep(150);
  expect(written).toBeLessThan(64);
  await writing;
  await upload.abandon();
});

test.each([
  ['cut', { method: 'PATCH', cutRequestAt: 30_000 }],
  ['refused', { method: 'PATCH', instead: refuse(405, 'UNSUPPORTED') }],
  ['denied', { method: 'PATCH', instead: refuse(403, 'DENIED') }],
  ['answered too early', { method: 'PATCH', instead: { status: 202 } }],
  ['of another digest', { method: 'PUT', instead: refuse(400, 'DIGEST_INVALID') }],
  ['cut at its end', { method: 'PUT', instead: 'cut' }],
] as const)('a stream that is %s fails when it is committed, and can be put again', async (_what, fault) => {
  bench.fake.misbehave({ ...fault, times: 1 });
  const to = bench.pusher();
  const upload = await to.upload(bench);
  const bytes = bench.bytes(bench.layer);
  for (let at = 0; at < bytes.length; at += 9999) await upload.write(bytes.subarray(at, at + 9999));
  await expect(upload.commit(bench.layer)).rejects.toMatchObject({
    code: expect.stringMatching(/^REGISTRY_/),
    message: expect.stringContaining(bench.name),
  });
  expect(bench.fake.openUploads).toBe(0);
  expect(bench.isPushed(bench.layer)).toBe(false);
  await to.put(bench.layer, bench.content, bench);
  expect(bench.isPushed(bench.layer)).toBe(true);
});

test('a stream that is given up leaves nothing', async () => {
  const upload = await bench.pusher().upload(bench);
  await upload.write(Buffer.from('some bytes'));
  await upload.abandon();
  expect(bench.fake.openUploads).toBe(0);
  expect(bench.there.blobs.size).toBe(0);
});

test('an abort ends a stream', async () => {
  const stop = new AbortController();
  bench.fake.misbehave({ method: 'PATCH', instead: 'silence' });
  const upload = await bench.pusher().upload({ signal: stop.signal });
  const writing = (async () => {
    for (;;) await upload.write(Buffer.alloc(1024 * 1024));
  })();
  await sleep(50);
  stop.abort(new Error('enough'));
  await expect(writing).rejects.toThrow('enough');
  await expect(upload.commit(bench.layer)).rejects.toThrow('enough');
});

function referrer(what: string): Descriptor {
  return bench.content.addManifest(bench.config, [], {
    artifactType: `application/vnd.test.${what}`,
    annotations: { what },
    subject: bench.manifest,
  });
}

test('what refers to an image is listed by the registry', async () => {
  await bench.push();
  const sbom = referrer('sbom');
  await bench.pusher().put(sbom, bench.content, bench);
  expect(await bench.puller().referrers(bench.manifest.digest, bench)).toMatchObject([{ digest: sbom.digest }]);
  expect([...bench.there.tags.keys()]).toEqual(['v1']);
});

test('a list of several pages is read to its end', async () => {
  await bench.push();
  for (const one of ['a', 'b']) await bench.pusher().put(referrer(one), bench.content, bench);
  bench.fake.misbehave({
    path: 'referrers',
    change: (answer, { url }) =>
      answer.status !== 200 || url.search !== ''
        ? answer
        : { ...answer, headers: { ...answer.headers, link: `<${url.pathname}?page=2>; rel="next"` } },
  });
  expect(await bench.puller().referrers(bench.manifest.digest, bench)).toHaveLength(4);
});

test('where the registry keeps no lists, a tag stands in for them', async () => {
  await restart({ registry: { referrers: false } });
  await bench.push();
  expect(await bench.puller().referrers(bench.manifest.digest, bench)).toEqual([]);
  bench.fake.misbehave({ method: 'GET', path: /manifests\/sha256-/, delayMs: 30 });
  const both = [referrer('sbom'), referrer('signature')];
  await Promise.all(both.map((one) => bench.pusher().put(one, bench.content, bench)));
  expect(await bench.puller().referrers(bench.manifest.digest, bench)).toHaveLength(2);
  for (const one of both) await bench.pusher().put(one, bench.content, bench);
  const found = await bench.puller().referrers(bench.manifest.digest, bench);
  expect(found).toHaveLength(2);
  expect(found).toEqual(
    expect.arrayContaining([
      { ...both[0], artifactType: 'application/vnd.test.sbom', annotations: { what: 'sbom' } },
      { ...both[1], artifactType: 'application/vnd.test.signature', annotations: { what: 'signature' } },
    ]),
  );
  const tag = bench.manifest.digest.replace(':', '-');
  expect(bench.there.manifests.get(bench.there.tags.get(tag)!)!.type).toBe(mediaTypes.index);
});

test('a page in place of a list of referrers counts as none', async () => {
  bench.publish();
  bench.fake.misbehave({
    path: 'referrers',
    instead: { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<html>') },
  });
  expect(await bench.puller().referrers(bench.manifest.digest, bench)).toEqual([]);
});

/** A mirror that has the image, before a registry that has it too. */
async function mirrored(): Promise<void> {
  await restart({ mirror: true });
  bench.publish();
  bench.publish(bench.other.repository(`mirrored/${bench.name}`));
}

test('a mirror is asked first, is told for whom, and gives all', async () => {
  await mirrored();
  expect(await bench.puller().resolve({ tag: 'v1' }, bench)).toEqual(bench.manifest);
  await bench.puller().readDocument(bench.manifest, bench);
  await bench.pull(bench.layer);
  expect(bench.fake.requests).toEqual([]);
  for (const { url, headers } of bench.other.requests) {
    expect(url.searchParams.get('ns')).toBe(bench.fake.host);
    expect(headers['authorization']).toBeUndefined();
  }
});

test('nothing is pushed to a mirror', async () => {
  await restart({ mirror: true });
  await bench.push();
  expect(bench.other.requests).toEqual([]);
});

test.each([
  ['has nothing', { instead: { status: 404 } }, 3],
  ['denies', { instead: { status: 403 } }, 4],
  ['is broken', { instead: { status: 500 } }, undefined],
  ['cuts', { instead: 'cut' }, 3],
  ['answers with pages', { instead: { status: 200, body: Buffer.from('<html>') } }, undefined],
] as const)('a mirror that %s is passed over', async (_what, fault, asked) => {
  await mirrored();
  bench.other.misbehave(fault);
  expect(await bench.puller().resolve({ tag: 'v1' }, bench)).toEqual(bench.manifest);
  expect((await bench.puller().readDocument(bench.manifest, bench)).equals(bench.bytes(bench.manifest))).toBe(true);
  await bench.pull(bench.layer);
  expect(await bench.isPulled(bench.layer)).toBe(true);
  expect(bench.other.requests.length).toBeGreaterThan(0);
  if (asked !== undefined) expect(bench.other.requests).toHaveLength(asked);
});

test('what a mirror breaks off, the registry goes on with', async () => {
  await mirrored();
  bench.other.misbehave({ times: 1, cutAnswerAt: 70_000 }, { instead: { status: 404 } });
  await bench.pull(bench.layer);
  expect(await bench.isPulled(bench.layer)).toBe(true);
  expectTakenUp(bench.fake, 70_000);
});

test('what a mirror falsifies is not taken: the registry is asked in its place', async () => {
  await mirrored();
  const other = bench.other.repository(`mirrored/${bench.name}`);
  for (const digest of [bench.manifest.digest, bench.layer.digest]) {
    const wrong = Buffer.from(other.blobs.get(digest) ?? other.manifests.get(digest)!.bytes);
    wrong[9]! ^= 1;
    if (digest === bench.layer.digest) other.blobs.set(digest, wrong);
    else other.manifests.set(digest, { type: bench.manifest.mediaType, bytes: wrong });
    expect(digestOf(wrong)).not.toBe(digest);
  }
  await bench.pull(bench.layer);
  expect(await bench.isPulled(bench.layer)).toBe(true);
  expect((await bench.puller().readDocument(bench.manifest, bench)).equals(bench.bytes(bench.manifest))).toBe(true);
});
