import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BuildError, type ErrorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import type { Descriptor } from '../../src/oci/descriptor.js';
import { expectTakenUp, FakeRegistryBench, type BenchOptions } from '../support/fake-registry-bench.js';
import { refuse } from '../support/fake-registry-content.js';
import type { FakeAnswer, Fault } from '../support/fake-registry-faults.js';

/** What a client wants of a registry that holds an image, or is to get one. */
type Action =
  | 'pull' // the layer, into a store
  | 'read' // the manifest, by the digest that it has
  | 'resolve' // the tag
  | 'pin' // the digest
  | 'push'; // the image

interface Case extends BenchOptions {
  readonly name: string;
  readonly does: Action;
  readonly faults: Faults;
  /** It ends with this error; without one it succeeds. */
  readonly fails?: readonly [ErrorCode, RegExp];
  readonly check?: (bench: FakeRegistryBench) => void | Promise<void>;
  /** Uploads that the client cannot know of. */
  readonly openUploads?: number;
}

type Faults = readonly Fault[] | ((bench: FakeRegistryBench) => readonly Fault[]);

const BLOB = /blobs\/sha256/;
const MANIFEST = /manifests\//;
const UPLOAD = /blobs\/uploads\/./;
const BEGIN = /blobs\/uploads\/$/;
const JSON_TYPE = { 'content-type': 'application/json' };

/** Small idle time-outs, for cases in which a registry says nothing. */
const IMPATIENT = { answerMs: 1000, headersMs: 1000, bodyMs: 1000 };

const withBody = (body: (bytes: Buffer) => Buffer) => ({
  change: (answer: FakeAnswer): FakeAnswer => ({ ...answer, body: body(answer.body!) }),
});
const withHeaders = (headers: Record<string, string>) => ({
  change: (answer: FakeAnswer): FakeAnswer => ({ ...answer, headers: { ...answer.headers, ...headers } }),
});
const without = (...names: readonly string[]) => ({
  change: (answer: FakeAnswer): FakeAnswer => ({
    ...answer,
    headers: Object.fromEntries(Object.entries(answer.headers ?? {}).filter(([name]) => !names.includes(name))),
  }),
});
const damaged = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
};
const headRefused: Fault = { method: 'HEAD', path: MANIFEST, instead: { status: 405 } };
const wholeRefused = (bytes: number, status: number): Fault => ({
  path: UPLOAD,
  instead: ({ headers }) => (Number(headers['content-length']) > bytes ? { status } : undefined),
});
/** To the other server, which has the layer, by a URL that lets anyone in. */
const signedRedirect = (bench: FakeRegistryBench, status = 307): Fault => {
  const signature = 'sig-0a8c33e1';
  bench.secrets.push(signature);
  bench.other.repository('cdn').addBlob(bench.bytes(bench.layer));
  const location = `http://${bench.other.host}/v2/cdn/blobs/${bench.layer.digest}?X-Signature=${signature}`;
  return { method: 'GET', path: BLOB, instead: { status, headers: { location } } };
};
const sawNoCredentials = ({ other }: FakeRegistryBench): void => {
  expect(other.requests.length).toBeGreaterThan(0);
  for (const { headers } of other.requests) expect(headers['authorization']).toBeUndefined();
};

const denials: readonly Case[] = [
  {
    name: 'every token is refused',
    does: 'pull',
    faults: [{ path: BLOB, instead: refuse(401, 'UNAUTHORIZED') }],
    fails: ['REGISTRY_DENIED', /acme\/app@sha256:/],
  },
  {
    name: 'tokens are given and refused, again and again',
    does: 'pull',
    faults: (bench) => [{ path: BLOB, meanwhile: () => bench.fake.expireTokens() }],
    fails: ['REGISTRY_DENIED', /acme\/app@sha256:/],
    check: ({ fake }) => expect(fake.requests.length).toBeLessThan(10),
  },
  { name: 'wrong password', does: 'pull', password: 'wrong-2f', faults: [], fails: ['REGISTRY_DENIED', /acme\/app/] },
  {
    name: 'wrong password, asked for at once',
    does: 'push',
    password: 'wrong-2f',
    registry: { auth: 'basic' },
    faults: [],
    fails: ['REGISTRY_DENIED', /acme\/app/],
  },
  {
    name: 'may not pull',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, instead: refuse(403, 'DENIED') }],
    fails: ['REGISTRY_DENIED', /acme\/app@sha256:.*DENIED/],
  },
  {
    name: 'may not push',
    does: 'push',
    faults: [{ method: 'POST', instead: refuse(403, 'DENIED') }],
    fails: ['REGISTRY_DENIED', /pushing .*acme\/app.*DENIED/],
  },
  {
    name: 'may not push manifests',
    does: 'push',
    faults: [{ method: 'PUT', path: MANIFEST, instead: refuse(403, 'DENIED') }],
    fails: ['REGISTRY_DENIED', /pushing .*acme\/app/],
  },
  {
    name: 'the token expires between two requests of an upload',
    does: 'push',
    faults: (bench) => [{ method: 'PATCH', times: 1, meanwhile: () => bench.fake.expireTokens() }],
  },
  {
    name: 'the token expires while a download is cut',
    does: 'pull',
    faults: (bench) => [
      { method: 'GET', path: BLOB, after: 1, times: 1, cutAnswerAt: 5000 },
      { method: 'GET', path: BLOB, after: 1, times: 1, meanwhile: () => bench.fake.expireTokens() },
    ],
  },
  {
    name: 'the registry repeats in its error what it was told',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        instead: ({ headers }) =>
          headers['authorization'] === undefined
            ? undefined
            : refuse(403, `DENIED: ${headers['authorization']} of http://x/y?sig=1`),
      },
    ],
    fails: ['REGISTRY_DENIED', /acme\/app@sha256:/],
  },
];

const redirects: readonly Case[] = [
  { name: 'to another host', does: 'pull', faults: (bench) => [signedRedirect(bench)], check: sawNoCredentials },
  {
    name: '302 to another host',
    does: 'pull',
    faults: (bench) => [signedRedirect(bench, 302)],
    check: sawNoCredentials,
  },
  {
    name: 'to another host that denies',
    does: 'pull',
    faults: (bench) => {
      bench.other.misbehave({ instead: { status: 403 } });
      return [signedRedirect(bench)];
    },
    fails: ['REGISTRY_DENIED', /acme\/app@sha256:/],
    check: sawNoCredentials,
  },
  {
    name: 'to another host that cuts: the registry is asked for another address',
    does: 'pull',
    faults: (bench) => {
      bench.other.misbehave({ times: 1, cutAnswerAt: 30_000 });
      return [signedRedirect(bench)];
    },
    check: (bench) => {
      sawNoCredentials(bench);
      expect(bench.other.requests).toHaveLength(2);
      expectTakenUp(bench.other, 30_000);
    },
  },
  {
    name: 'round and round',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        instead: ({ url }) => ({ status: 307, headers: { location: `${url.pathname}?a` } }),
      },
    ],
    fails: ['REGISTRY_FAILED', /acme\/app@sha256:.*redirects/],
  },
  {
    name: 'out of HTTP',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, instead: { status: 307, headers: { location: 'file:///etc/passwd' } } }],
    fails: ['REGISTRY_FAILED', /acme\/app@sha256:.*redirects/],
  },
  {
    name: 'of an upload, with its bytes',
    does: 'push',
    faults: [
      {
        method: 'PATCH',
        times: 1,
        instead: ({ url }) => ({ status: 307, headers: { location: `${url.pathname}${url.search}&again=1` } }),
      },
    ],
  },
  {
    name: 'of an upload, that cannot keep its bytes',
    does: 'push',
    faults: [{ method: 'PATCH', instead: { status: 302, headers: { location: '/elsewhere' } } }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:/],
  },
];

const cuts: readonly Case[] = [
  {
    name: 'a download in the middle',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, times: 1, after: 1, cutAnswerAt: 1000 }],
    check: ({ fake }) => expectTakenUp(fake, 1000),
  },
  {
    name: 'a download many times, with progress between',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, times: 9, after: 1, cutAnswerAt: 10_000 }],
    check: ({ fake }) => expectTakenUp(fake, 90_000),
  },
  {
    name: 'a download at the first byte',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, times: 2, after: 1, cutAnswerAt: 0 }],
  },
  {
    name: 'a download at the same byte for ever',
    does: 'pull',
    faults: [
      { method: 'GET', path: BLOB, times: 1, after: 1, cutAnswerAt: 7000 },
      { method: 'GET', path: BLOB, after: 1, cutAnswerAt: 0 },
    ],
    fails: ['REGISTRY_FAILED', /acme\/app@sha256:.* cut after \d+ of 100000 bytes/],
  },
  {
    name: 'a download before the answer',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, times: 2, instead: 'cut' }],
  },
  {
    name: 'a download before the answer, for ever',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, instead: 'cut' }],
    fails: ['REGISTRY_FAILED', /acme\/app@sha256:.*cut/],
  },
  {
    name: 'a download after all bytes, before its end',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        after: 1,
        times: 1,
        cutAnswerAt: 100_000,
        ...withHeaders({ 'transfer-encoding': 'chunked' }),
      },
    ],
  },
  {
    name: 'a manifest in the middle',
    does: 'read',
    faults: [{ method: 'GET', path: MANIFEST, after: 1, times: 2, cutAnswerAt: 20 }],
  },
  {
    name: 'a manifest in the middle, while its digest is not known',
    does: 'resolve',
    faults: [headRefused, { method: 'GET', path: MANIFEST, times: 2, cutAnswerAt: 20 }],
  },
  {
    name: 'an upload in the middle',
    does: 'push',
    faults: [{ method: 'PATCH', times: 1, cutRequestAt: 30_000 }],
    check: ({ fake }) => {
      const [, again] = fake.requests.filter(({ method }) => method === 'PATCH');
      expect(again!.headers['content-range']).toBe('30000-99999');
    },
  },
  {
    name: 'an upload many times, with progress between',
    does: 'push',
    faults: [{ method: 'PATCH', times: 6, cutRequestAt: 15_000 }],
    check: ({ fake }) => expect(fake.count('PATCH')).toBe(7),
  },
  { name: 'an upload at the first byte', does: 'push', faults: [{ method: 'PATCH', times: 1, cutRequestAt: 0 }] },
  { name: 'an upload before it is read', does: 'push', faults: [{ method: 'PATCH', times: 1, instead: 'cut' }] },
  {
    name: 'an upload after all bytes, before the answer',
    does: 'push',
    faults: [{ method: 'PATCH', times: 1, cutAnswer: true }],
    check: ({ fake }) => expect(fake.count('POST')).toBe(2),
  },
  {
    name: 'an upload that is done, before the answer',
    does: 'push',
    faults: [{ method: 'PUT', path: UPLOAD, times: 2, cutAnswer: true }],
    check: ({ there }) => expect(there.uploaded).toHaveLength(2),
  },
  {
    name: 'a small blob in the middle',
    does: 'push',
    faults: [{ method: 'PUT', path: UPLOAD, times: 1, cutRequestAt: 10 }],
  },
  {
    name: 'the beginning of an upload, before the answer',
    does: 'push',
    faults: [{ method: 'POST', times: 1, cutAnswer: true }],
    openUploads: 1,
  },
  {
    name: 'every upload, at once',
    does: 'push',
    faults: [{ method: 'PATCH', instead: 'cut' }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*cut/],
  },
  {
    name: 'a manifest that is put, before the answer',
    does: 'push',
    faults: [{ method: 'PUT', path: MANIFEST, times: 1, cutAnswer: true }],
  },
];

const corruption: readonly Case[] = [
  {
    name: 'one byte changed',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, ...withBody(damaged) }],
    fails: ['BLOB_CORRUPT', /blob `sha256:/],
  },
  {
    name: 'one byte more',
    does: 'pull',
    faults: [
      { method: 'GET', path: BLOB, after: 1, ...withBody((bytes) => Buffer.concat([bytes, bytes.subarray(0, 1)])) },
    ],
    fails: ['BLOB_CORRUPT', /acme\/app@sha256:.* more than the 100000 bytes/],
  },
  {
    name: 'one byte less',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        after: 1,
        ...withBody((bytes) => bytes.subarray(0, -1)),
      },
    ],
    fails: ['BLOB_CORRUPT', /acme\/app@sha256:.*99999 bytes instead of 100000/],
  },
  {
    name: 'nothing at all',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, after: 1, ...withBody(() => Buffer.alloc(0)) }],
    fails: ['BLOB_CORRUPT', /acme\/app@sha256:.*0 bytes instead of 100000/],
  },
  {
    name: 'one byte of a manifest changed',
    does: 'read',
    faults: [{ method: 'GET', path: MANIFEST, ...withBody(damaged) }],
    fails: ['BLOB_CORRUPT', /sha256:/],
  },
  {
    name: 'the bytes of another manifest for a digest',
    does: 'pin',
    faults: [headRefused, { method: 'GET', path: MANIFEST, ...withBody(() => Buffer.from('{"schemaVersion":2}')) }],
    fails: ['BLOB_CORRUPT', /resolving .*acme\/app@sha256:/],
  },
  {
    name: 'a wrong digest in the header, for a digest',
    does: 'pin',
    faults: [
      { method: 'HEAD', path: MANIFEST, ...withHeaders({ 'docker-content-digest': `sha256:${'0'.repeat(64)}` }) },
    ],
  },
  {
    name: 'a wrong digest in the header, for a tag',
    does: 'resolve',
    faults: [
      headRefused,
      { method: 'GET', path: MANIFEST, ...withHeaders({ 'docker-content-digest': `sha256:${'0'.repeat(64)}` }) },
    ],
    fails: ['BLOB_CORRUPT', /resolving .*acme\/app:v1.*hashes to/],
  },
  {
    name: 'a digest in the header that is none',
    does: 'resolve',
    faults: [{ path: MANIFEST, ...withHeaders({ 'docker-content-digest': 'md5:1234' }) }],
  },
  {
    name: 'a wrong size in the header',
    does: 'read',
    faults: [{ method: 'HEAD', path: MANIFEST, ...withHeaders({ 'content-length': '12' }) }],
    fails: ['BLOB_CORRUPT', /acme\/app@sha256:.* more than the 12 bytes/],
  },
  {
    name: 'a page in place of a manifest',
    does: 'resolve',
    faults: [
      {
        path: MANIFEST,
        instead: { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<html>Sign in</html>') },
      },
    ],
    fails: ['IMAGE_INVALID', /acme\/app:v1.* not JSON/],
  },
  {
    name: 'a manifest that is stored as another',
    does: 'push',
    faults: [
      { method: 'PUT', path: MANIFEST, ...withHeaders({ 'docker-content-digest': `sha256:${'0'.repeat(64)}` }) },
    ],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app.* stored `sha256:0000/],
  },
  {
    name: 'a blob that is stored as another',
    does: 'push',
    faults: [{ method: 'PUT', path: UPLOAD, ...withHeaders({ 'docker-content-digest': `sha256:${'0'.repeat(64)}` }) }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.* stored `sha256:0000/],
  },
  {
    name: 'bytes that changed on the way up',
    does: 'push',
    faults: (bench) => [
      {
        method: 'PATCH',
        times: 1,
        meanwhile: () => [...bench.there.uploads.values()][0]!.chunks.push(Buffer.from('!')),
      },
    ],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*DIGEST_INVALID/],
  },
  {
    name: 'the source of a push is damaged',
    does: 'push',
    faults: (bench) => {
      bench.content.blobs.set(bench.layer.digest, damaged(bench.bytes(bench.layer)));
      return [];
    },
    fails: ['BLOB_CORRUPT', /sha256:/],
    // Without its last byte no registry can take it for whole.
    check: ({ fake }) => expect(Math.max(...fake.requests.map(({ bodyBytes }) => bodyBytes))).toBeLessThan(100_000),
  },
  {
    name: 'the source of a push is not there',
    does: 'push',
    faults: (bench) => {
      bench.content.blobs.delete(bench.layer.digest);
      return [];
    },
    fails: ['BLOB_NOT_FOUND', /sha256:/],
  },
];

const throttling: readonly Case[] = [
  {
    name: '429 with Retry-After',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, times: 1, instead: refuse(429, 'TOOMANYREQUESTS', { 'retry-after': '1' }) }],
  },
  {
    name: '429 without Retry-After',
    does: 'resolve',
    faults: [{ path: MANIFEST, times: 2, instead: refuse(429, 'TOOMANYREQUESTS') }],
  },
  {
    name: '429 for ever',
    does: 'resolve',
    faults: [{ path: MANIFEST, instead: refuse(429, 'TOOMANYREQUESTS') }],
    fails: ['REGISTRY_FAILED', /acme\/app:v1.*429/],
  },
  {
    name: '429 for an hour',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, instead: refuse(429, 'TOOMANYREQUESTS', { 'retry-after': '3600' }) }],
    fails: ['REGISTRY_FAILED', /acme\/app@sha256:.*429/],
    check: ({ fake }) => expect(fake.count('GET', BLOB)).toBe(1),
  },
  {
    name: '503 for a while',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, times: 2, instead: { status: 503 } }],
  },
  { name: '429 to an upload', does: 'push', faults: [{ method: 'PATCH', times: 1, instead: { status: 429 } }] },
  { name: '503 to an upload', does: 'push', faults: [{ method: 'PATCH', times: 2, instead: { status: 503 } }] },
  {
    name: '502 to the beginning of an upload',
    does: 'push',
    faults: [{ method: 'POST', times: 2, instead: { status: 502 } }],
  },
  {
    name: '500 to the end of an upload',
    does: 'push',
    faults: [{ method: 'PUT', path: UPLOAD, times: 1, instead: { status: 500 } }],
  },
  {
    name: '500 to every end of an upload',
    does: 'push',
    faults: [{ method: 'PUT', path: UPLOAD, instead: { status: 500 } }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*500/],
  },
  {
    name: '503 to a manifest',
    does: 'push',
    faults: [{ method: 'PUT', path: MANIFEST, times: 2, instead: { status: 503 } }],
  },
  {
    name: '503 to a check of what is there',
    does: 'push',
    faults: [{ method: 'HEAD', times: 2, instead: { status: 503 } }],
  },
];

const forgetting: readonly Case[] = [
  {
    name: 'an upload is forgotten before its bytes',
    does: 'push',
    faults: (bench) => [{ method: 'PATCH', times: 1, meanwhile: () => bench.there.uploads.clear() }],
  },
  {
    name: 'an upload is forgotten before its end',
    does: 'push',
    faults: (bench) => [
      { method: 'PUT', path: UPLOAD, after: 1, times: 1, meanwhile: () => bench.there.uploads.clear() },
    ],
    check: ({ fake }) => expect(fake.count('PATCH')).toBe(2),
  },
  {
    name: 'an upload is forgotten after a cut',
    does: 'push',
    faults: (bench) => [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, times: 1, meanwhile: () => bench.there.uploads.clear() },
    ],
  },
  {
    name: 'every upload is forgotten',
    does: 'push',
    faults: (bench) => [{ method: 'PATCH', meanwhile: () => bench.there.uploads.clear() }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*404/],
  },
  {
    name: 'says it has more than it was sent',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, times: 1, ...withHeaders({ range: '0-150000' }) },
    ],
  },
  {
    name: 'says it has more than it has',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, times: 1, ...withHeaders({ range: '0-49999' }) },
    ],
  },
  {
    name: 'says it has nothing, or one byte',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, times: 1, ...withHeaders({ range: '0-0' }) },
    ],
  },
  {
    name: 'does not say what it has',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, times: 1, ...without('range') },
    ],
  },
  {
    name: 'answers nothing when asked what it has',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, instead: refuse(400, 'BLOB_UPLOAD_INVALID') },
    ],
  },
  {
    name: 'is in trouble when asked what it has',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { method: 'GET', path: UPLOAD, times: 2, instead: { status: 503 } },
    ],
    check: ({ fake }) => expect(fake.count('POST')).toBe(2),
  },
  {
    name: 'does not take up what was cut',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { path: UPLOAD, instead: ({ headers }) => (headers['content-range'] ? refuse(400, 'UNSUPPORTED') : undefined) },
    ],
  },
  {
    name: 'finds misplaced what it asked for',
    does: 'push',
    faults: [
      { method: 'PATCH', times: 1, cutRequestAt: 30_000 },
      { path: UPLOAD, instead: ({ headers }) => (headers['content-range'] ? { status: 416 } : undefined) },
    ],
  },
  {
    name: 'finds every byte misplaced',
    does: 'push',
    faults: [{ method: 'PATCH', instead: { status: 416 } }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*416/],
  },
  {
    name: 'does not let uploads be taken back',
    does: 'push',
    faults: [
      { method: 'PATCH', instead: { status: 409 } },
      { method: 'DELETE', instead: { status: 405 } },
    ],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*409/],
    openUploads: 1,
  },
];

const slowness: readonly Case[] = [
  { name: 'a download trickles', does: 'pull', faults: [{ method: 'GET', path: BLOB, trickle: 50 }] },
  { name: 'answers come late', does: 'push', faults: [{ path: UPLOAD, delayMs: 50 }] },
  {
    name: 'no answer to a download',
    does: 'pull',
    timing: IMPATIENT,
    faults: [{ method: 'GET', path: BLOB, times: 1, instead: 'silence' }],
  },
  {
    name: 'no answer, ever',
    does: 'resolve',
    timing: IMPATIENT,
    faults: [{ path: MANIFEST, instead: 'silence' }],
    fails: ['REGISTRY_FAILED', /acme\/app:v1.*no answer in time/],
  },
  {
    name: 'a download stops in the middle',
    does: 'pull',
    timing: IMPATIENT,
    faults: [{ method: 'GET', path: BLOB, after: 1, times: 1, stallAnswerAt: 40_000 }],
    check: ({ fake }) => expectTakenUp(fake, 40_000),
  },
  {
    name: 'a manifest stops in the middle',
    does: 'resolve',
    timing: IMPATIENT,
    faults: [headRefused, { method: 'GET', path: MANIFEST, times: 1, stallAnswerAt: 10 }],
  },
  {
    name: 'no answer to an upload',
    does: 'push',
    timing: IMPATIENT,
    faults: [{ method: 'PATCH', times: 1, instead: 'silence' }],
  },
  {
    name: 'no answer to the end of an upload',
    does: 'push',
    timing: IMPATIENT,
    faults: [{ method: 'PUT', path: UPLOAD, times: 1, instead: 'silence' }],
  },
];

const manners: readonly Case[] = [
  {
    name: 'asks for chunks',
    does: 'push',
    registry: { minChunk: 30_000 },
    faults: [],
    check: ({ fake }) => {
      const sent = fake.requests
        .filter(({ method }) => method === 'PATCH')
        .map(({ headers }) => headers['content-range']);
      expect(sent).toEqual(['0-39999', '40000-79999', '80000-99999']);
    },
  },
  {
    name: 'asks for large chunks',
    does: 'push',
    registry: { minChunk: 60_000 },
    faults: [],
    check: ({ fake }) => expect(fake.count('PATCH')).toBe(2),
  },
  {
    name: 'cuts a chunk',
    does: 'push',
    registry: { minChunk: 30_000 },
    faults: [{ method: 'PATCH', after: 1, times: 1, cutRequestAt: 9 }],
  },
  { name: 'refuses a large request', does: 'push', faults: [wholeRefused(50_000, 413)] },
  { name: 'refuses chunks for their size too', does: 'push', faults: [wholeRefused(15_000, 413)] },
  {
    name: 'refuses every request for its size',
    does: 'push',
    faults: [{ method: 'PATCH', instead: { status: 413 } }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*413/],
  },
  {
    name: 'cuts large requests off without a word',
    does: 'push',
    faults: [{ method: 'PATCH', times: 2, cutRequestAt: 0 }],
    check: ({ fake }) => expect(fake.count('PATCH')).toBeGreaterThan(3),
  },
  { name: 'knows no PATCH', does: 'push', faults: [{ method: 'PATCH', instead: refuse(405, 'UNSUPPORTED') }] },
  {
    name: 'takes no bytes with the end of an upload',
    does: 'push',
    faults: [
      {
        method: 'PUT',
        path: UPLOAD,
        instead: ({ headers }) => (headers['content-length'] === '0' ? undefined : refuse(400, 'UNSUPPORTED')),
      },
    ],
  },
  {
    name: 'takes no bytes at all',
    does: 'push',
    faults: [
      { method: 'PATCH', instead: refuse(405, 'UNSUPPORTED') },
      { method: 'PUT', path: UPLOAD, instead: refuse(405, 'UNSUPPORTED') },
    ],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*405/],
  },
  {
    name: 'ignores Range',
    does: 'pull',
    faults: [
      { method: 'GET', path: BLOB, after: 1, times: 1, cutAnswerAt: 1000 },
      {
        method: 'GET',
        path: BLOB,
        after: 1,
        change: ({ headers }) => ({ status: 200, headers: headers!, body: Buffer.alloc(0) }),
      },
    ],
    fails: ['BLOB_CORRUPT', /acme\/app@sha256:/],
  },
  {
    name: 'has no ranges',
    does: 'pull',
    faults: (bench) => [
      { method: 'GET', path: BLOB, after: 1, times: 1, cutAnswerAt: 1000 },
      { method: 'GET', path: BLOB, after: 1, instead: { status: 200, body: bench.bytes(bench.layer) } },
    ],
  },
  {
    name: 'has no ranges, and cuts again',
    does: 'pull',
    faults: (bench) => [
      { method: 'GET', path: BLOB, after: 1, times: 1, cutAnswerAt: 1000 },
      {
        method: 'GET',
        path: BLOB,
        after: 1,
        times: 1,
        cutAnswerAt: 700,
        instead: { status: 200, body: bench.bytes(bench.layer) },
      },
      { method: 'GET', path: BLOB, after: 1, instead: { status: 200, body: bench.bytes(bench.layer) } },
    ],
  },
  {
    name: 'gives another range',
    does: 'pull',
    faults: [
      { method: 'GET', path: BLOB, times: 1, after: 1, cutAnswerAt: 1000 },
      { method: 'GET', path: BLOB, times: 1, after: 1, ...withHeaders({ 'content-range': 'bytes 999-99999/100000' }) },
    ],
  },
  {
    name: 'finds no range satisfiable',
    does: 'pull',
    faults: [
      { method: 'GET', path: BLOB, times: 1, after: 1, cutAnswerAt: 1000 },
      { method: 'GET', path: BLOB, times: 1, after: 1, instead: { status: 416 } },
    ],
  },
  {
    name: 'gives an empty Location',
    does: 'push',
    faults: [{ method: 'POST', ...withHeaders({ location: '' }) }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*does not say where/],
    openUploads: 1,
  },
  {
    name: 'gives no Location',
    does: 'push',
    faults: [{ method: 'POST', ...without('location') }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*does not say where/],
    openUploads: 1,
  },
  {
    name: 'gives a Location out of HTTP',
    does: 'push',
    faults: [{ method: 'POST', ...withHeaders({ location: 'file:///tmp/x' }) }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*does not say where/],
    openUploads: 1,
  },
  {
    name: 'gives a relative Location',
    does: 'push',
    faults: [
      {
        method: 'POST',
        change: (answer) => ({
          ...answer,
          headers: { ...answer.headers, location: answer.headers!['location']!.replace(/^.*\//, '') },
        }),
      },
    ],
  },
  {
    name: 'gives a Location with the port of another server, which is not told who asks',
    does: 'push',
    faults: (bench) => [
      {
        method: 'POST',
        path: BEGIN,
        ...withHeaders({ location: `http://${bench.other.host}/v2/x/blobs/uploads/1?_state=2` }),
      },
    ],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*404/],
    check: sawNoCredentials,
    openUploads: 3,
  },
  {
    name: 'gives no new Location',
    does: 'push',
    registry: { minChunk: 30_000 },
    faults: [{ method: 'PATCH', path: UPLOAD, ...without('location') }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app@sha256:.*404/],
  },
];

const documents: readonly Case[] = [
  {
    name: 'a huge manifest',
    does: 'resolve',
    faults: (bench) => {
      const bytes = Buffer.alloc(limits.documentBytes + 1, ' ');
      bench.there.addManifest(bench.manifest.mediaType, bytes, 'v1');
      return [];
    },
    fails: ['IMAGE_INVALID', /acme\/app:v1.*more than/],
  },
  {
    name: 'a manifest without end',
    does: 'resolve',
    faults: [
      headRefused,
      {
        method: 'GET',
        path: MANIFEST,
        instead: {
          status: 200,
          headers: { 'transfer-encoding': 'chunked' },
          body: Buffer.alloc(limits.documentBytes + 1, ' '),
        },
      },
    ],
    fails: ['IMAGE_INVALID', /acme\/app:v1.*more than/],
  },
  {
    name: 'a blob that is encoded for the way',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        after: 1,
        change: ({ body }) => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: gzipSync(body!) }),
      },
    ],
  },
  {
    name: 'a blob that is encoded for the way, and cut',
    does: 'pull',
    faults: (bench) => {
      const encoded = {
        status: 200,
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(bench.bytes(bench.layer)),
      };
      return [
        { method: 'GET', path: BLOB, times: 1, instead: encoded, cutAnswerAt: 50_000 },
        { method: 'GET', path: BLOB, instead: encoded },
      ];
    },
    // Places in what is encoded are not those of the blob.
    check: ({ fake }) => expect(fake.requests.every(({ headers }) => headers['range'] === undefined)).toBe(true),
  },
  {
    name: 'a blob that is encoded in far more bytes than it has: empty members without end',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        instead: {
          status: 200,
          headers: { 'content-encoding': 'gzip' },
          body: Buffer.concat(Array.from({ length: 50_000 }, () => gzipSync(''))),
        },
      },
    ],
    fails: ['BLOB_CORRUPT', /acme\/app@sha256:.*it has more than 265536 bytes of gzip/],
  },
  {
    name: 'an empty manifest that is called encoded',
    does: 'resolve',
    faults: [
      headRefused,
      {
        method: 'GET',
        path: MANIFEST,
        instead: { status: 200, headers: { 'content-encoding': 'gzip', 'content-length': '0' } },
      },
    ],
    fails: ['IMAGE_INVALID', /the manifest is not JSON/],
  },
  {
    name: 'a blob that is called encoded and is not',
    does: 'pull',
    faults: [{ method: 'GET', path: BLOB, ...withHeaders({ 'content-encoding': 'gzip' }) }],
  },
  {
    name: 'a blob in an encoding that nobody asked for',
    does: 'pull',
    faults: [
      {
        method: 'GET',
        path: BLOB,
        after: 1,
        change: () => ({ status: 200, headers: { 'content-encoding': 'br' }, body: Buffer.from('?') }),
      },
    ],
    fails: ['REGISTRY_FAILED', /acme\/app@sha256:.*encoded as `br`/],
  },
  {
    name: 'a manifest that is encoded for the way',
    does: 'resolve',
    faults: [
      headRefused,
      {
        method: 'GET',
        path: MANIFEST,
        change: (answer) => ({
          ...answer,
          headers: { ...answer.headers, 'content-encoding': 'gzip' },
          body: gzipSync(answer.body!),
        }),
      },
    ],
  },
  {
    name: 'a manifest as text',
    does: 'resolve',
    faults: [{ path: MANIFEST, ...withHeaders({ 'content-type': 'text/plain; charset=utf-8' }) }],
  },
  { name: 'a manifest without a type', does: 'resolve', faults: [{ path: MANIFEST, ...without('content-type') }] },
  {
    name: 'a manifest with a parameter in its type',
    does: 'resolve',
    faults: [
      {
        path: MANIFEST,
        change: (answer) => ({
          ...answer,
          headers: { ...answer.headers, 'content-type': `${answer.headers!['content-type']}; charset=utf-8` },
        }),
      },
    ],
    check: ({ fake }) => expect(fake.count('GET', MANIFEST)).toBe(0),
  },
  { name: 'HEAD is refused', does: 'resolve', faults: [headRefused] },
  { name: 'HEAD is denied', does: 'resolve', faults: [{ method: 'HEAD', instead: { status: 403 } }] },
  { name: 'HEAD breaks the server', does: 'resolve', faults: [{ method: 'HEAD', instead: { status: 500 } }] },
  { name: 'HEAD without a digest', does: 'resolve', faults: [{ method: 'HEAD', ...without('docker-content-digest') }] },
  {
    name: 'schema 1 by its type',
    does: 'resolve',
    faults: [
      {
        path: MANIFEST,
        ...withHeaders({ 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' }),
      },
    ],
    fails: ['UNSUPPORTED', /acme\/app:v1.*schema 1/],
  },
  {
    name: 'schema 1 by its content',
    does: 'resolve',
    faults: [
      { path: MANIFEST, instead: { status: 200, headers: JSON_TYPE, body: Buffer.from('{"schemaVersion":1}') } },
    ],
    fails: ['UNSUPPORTED', /acme\/app:v1.*schema 1/],
  },
  {
    name: 'something that is no image',
    does: 'resolve',
    faults: [
      {
        path: MANIFEST,
        instead: { status: 200, headers: JSON_TYPE, body: Buffer.from('{"mediaType":"application/vnd.cncf.thing"}') },
      },
    ],
    fails: ['IMAGE_INVALID', /acme\/app:v1.*application\/vnd.cncf.thing/],
  },
  {
    name: 'a tag that is not there',
    does: 'resolve',
    faults: (bench) => {
      bench.there.tags.clear();
      return [];
    },
    fails: ['IMAGE_NOT_FOUND', /acme\/app:v1/],
  },
  {
    name: 'a layer that is not there',
    does: 'pull',
    faults: (bench) => {
      bench.there.blobs.delete(bench.layer.digest);
      return [];
    },
    fails: ['BLOB_NOT_FOUND', /acme\/app@sha256:/],
  },
  {
    name: 'a tag that moves while it is read',
    does: 'read',
    faults: (bench) => [
      {
        method: 'HEAD',
        path: MANIFEST,
        after: 1,
        meanwhile: () =>
          void setImmediate(() =>
            bench.there.addManifest(bench.manifest.mediaType, Buffer.from('{"schemaVersion":2}'), 'v1'),
          ),
      },
    ],
  },
  {
    name: 'a manifest whose blobs the registry has lost',
    does: 'push',
    faults: (bench) => [{ method: 'PUT', path: MANIFEST, meanwhile: () => bench.there.blobs.clear() }],
    fails: ['REGISTRY_FAILED', /pushing .*acme\/app.*MANIFEST_BLOB_UNKNOWN/],
  },
];

const groups: Readonly<Record<string, readonly Case[]>> = {
  denies: denials,
  redirects,
  cuts,
  corrupts: corruption,
  throttles: throttling,
  'forgets and lies': forgetting,
  'is slow': slowness,
  'has its own manners': manners,
  'gives odd documents': documents,
};

const cases = Object.entries(groups).flatMap(([group, list]) =>
  list.map((one): [string, Case] => [`${group}: ${one.name}`, one]),
);

test.concurrent.each(cases)('%s', async (_title, one) => {
  const bench = await FakeRegistryBench.start(one);
  try {
    if (one.does !== 'push') bench.publish();
    bench.fake.misbehave(...(typeof one.faults === 'function' ? one.faults(bench) : one.faults));
    if (one.fails) await expectFailure(one, bench, one.fails);
    else await act(one.does, bench);
    expect(bench.fake.openUploads).toBe(one.openUploads ?? 0);
    expect(bench.leftovers).toEqual([]);
    await one.check?.(bench);
  } finally {
    await bench.close();
  }
});

/** Does it, and checks that it is done. */
async function act(action: Action, bench: FakeRegistryBench): Promise<void> {
  const { layer, manifest } = bench;
  const from = bench.puller();
  if (action === 'pull') {
    await bench.pull(layer);
    expect(await bench.isPulled(layer)).toBe(true);
  } else if (action === 'read') {
    const found = await from.resolve({ tag: 'v1' }, bench);
    expect((await from.readDocument(found, bench)).equals(bench.bytes(manifest))).toBe(true);
  } else if (action === 'push') {
    await bench.push();
    for (const one of [bench.config, layer, manifest] satisfies Descriptor[]) expect(bench.isPushed(one)).toBe(true);
    expect(bench.there.tags.get('v1')).toBe(manifest.digest);
  } else {
    const target = action === 'pin' ? { digest: manifest.digest } : { tag: 'v1' };
    expect(await from.resolve(target, bench)).toEqual(manifest);
  }
}

async function expectFailure(
  one: Case,
  bench: FakeRegistryBench,
  [code, names]: readonly [ErrorCode, RegExp],
): Promise<void> {
  const error = await act(one.does, bench).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BuildError);
  const failure = error as BuildError;
  expect({ code: failure.code, message: failure.message }).toEqual({ code, message: expect.stringMatching(names) });
  expect(await bench.blobs.size(bench.layer.digest)).toBeUndefined();
  expect(bench.there.tags.has('v1')).toBe(
    one.does !== 'push' && bench.there.manifests.size > 0 && code !== 'IMAGE_NOT_FOUND',
  );
  const said = textOf(failure);
  for (const secret of [...bench.secrets, ...bench.fake.tokens]) expect(said).not.toContain(secret);
}

/** All that a user or a log may come to see of an error. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof BuildError ? (error.hint ?? '') : '';
  return [error.stack, error.message, hint, JSON.stringify(error), textOf(error.cause)].join('\n');
}
