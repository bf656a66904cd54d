import path from 'node:path';
import { expect, test } from 'vitest';
import { parseLocation } from './location.js';

const app = { registry: 'docker.io', repository: 'library/app' };
const digest = `sha256:${'a'.repeat(64)}`;

test.each([
  ['app', { kind: 'registry', reference: { ...app, tag: 'latest' } }],
  ['docker://app:1', { kind: 'registry', reference: { ...app, tag: '1' } }],
  [
    `localhost:5000/a/b@${digest}`,
    { kind: 'registry', reference: { registry: 'localhost:5000', repository: 'a/b', digest } },
  ],
  ['oci:dir', { kind: 'layout', dir: path.resolve('dir') }],
  ['oci:/d/e:reg.example:5000/app:1', { kind: 'layout', dir: '/d/e', tag: 'reg.example:5000/app:1' }],
  ['oci-layout:///d/e:v1', { kind: 'layout', dir: '/d/e', tag: 'v1' }],
  [`oci-layout:///d:1/e@${digest}`, { kind: 'layout', dir: '/d:1/e', digest }],
  ['oci-archive:/a.tar:v1', { kind: 'oci-archive', file: '/a.tar', tag: 'v1' }],
  ['docker-archive:-', { kind: 'docker-archive', file: '-' }],
  ['docker-archive:-:app:1', { kind: 'docker-archive', file: '-', tag: 'app:1' }],
  ['store:app', { kind: 'store', name: 'app' }],
])('%s', (text, location) => {
  expect(parseLocation(text)).toEqual(location);
});

test.each(['oci:', 'oci::tag', 'oci:dir:', 'docker-archive:', 'store:', 'docker://'])('%s names nothing', (text) => {
  expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test.each(['App', 'oci-layout:///d@sha256:1', 'dir:/x'])('%s is refused', (text) => {
  expect(() => parseLocation(text)).toThrow(/reference|digest/);
});
