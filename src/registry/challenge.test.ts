import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.js';

function plain(header: string | undefined): unknown {
  return parseChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);
}

test('a challenge with its parameters, quoted or not', () => {
  expect(plain('Bearer realm="https://a.test/token?x=1,2",service=a.test , scope="repository:a/b:pull,push"')).toEqual([
    ['bearer', { realm: 'https://a.test/token?x=1,2', service: 'a.test', scope: 'repository:a/b:pull,push' }],
  ]);
  expect(plain('BASIC Realm = "say \\"hi\\", \\\\"')).toEqual([['basic', { realm: 'say "hi", \\' }]]);
});

test('several challenges in one header, those without parameters too', () => {
  expect(plain('Negotiate, Basic realm="x", charset="UTF-8", Bearer realm="y",service="z"')).toEqual([
    ['negotiate', {}],
    ['basic', { realm: 'x', charset: 'UTF-8' }],
    ['bearer', { realm: 'y', service: 'z' }],
  ]);
  expect(plain('Basic,,Bearer realm=y')).toEqual([
    ['basic', {}],
    ['bearer', { realm: 'y' }],
  ]);
});

test('what cannot be read ends the list', () => {
  expect(plain(undefined)).toEqual([]);
  expect(plain('')).toEqual([]);
  expect(plain('"')).toEqual([]);
  expect(plain('Bearer realm="open')).toEqual([['bearer', { realm: '"open' }]]);
  expect(plain('Bearer realm="a", "b"')).toEqual([['bearer', { realm: 'a' }]]);
  expect(plain('Bearer realm="a",realm="b"')).toEqual([['bearer', { realm: 'a' }]]);
  expect(plain('Bearer __proto__="x"')).toHaveLength(1);
});

test('a header without end is read in no time', () => {
  const startedAt = performance.now();
  for (const one of ['a', ',', '"', 'a=', 'Bearer a="\\', ' ']) parseChallenges(one.repeat(1_000_000));
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
