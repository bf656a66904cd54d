import { expect, test } from 'vitest';
import { requireOwnFrontend } from './frontend.js';

const check = (source: string, buildArgs = {}): void =>
  requireOwnFrontend({ fileName: 'Dockerfile', source }, buildArgs);

test.each([
  'docker/dockerfile',
  'docker/dockerfile:1.7-labs',
  'docker.io/docker/dockerfile:1@sha256:' + '0'.repeat(64),
  'docker/dockerfile-upstream:master',
  'mirror.local:5000/hub/docker/dockerfile:1',
])('%s is the language that is read anyway', (name) => {
  check(`# syntax=${name}\nFROM scratch\n`);
});

test('another frontend is refused at its line', () => {
  const place = expect.objectContaining({ startLine: 2 }) as unknown;
  const message =
    'failed to resolve source metadata for docker.io/library/foo:latest: docker.io/library/foo:latest: not found';
  let error: unknown;
  try {
    check('#!/usr/bin/env x\n# syntax=foo\nFROM scratch\n');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: 'BASE_NOT_FOUND', message, place });
});

test('the build argument wins; only there dockerfile.v0 is a name', () => {
  check('# syntax=foo\n', { BUILDKIT_SYNTAX: 'docker/dockerfile:1' });
  check('# syntax=foo\n', { BUILDKIT_SYNTAX: 'dockerfile.v0' });
  expect(() => check('# syntax=docker/dockerfile:1\n', { BUILDKIT_SYNTAX: 'foo' })).toThrow('library/foo:latest');
  expect(() => check('# syntax=dockerfile.v0\n')).toThrow('not found');
});

test('a file without a directive is fine', () => {
  check('FROM scratch\n# syntax=foo\n');
});
