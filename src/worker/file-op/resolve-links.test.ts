import { expect, test } from 'vitest';
import { resolveLinks } from './resolve-links.js';
import { sampleTree } from './sample-tree.js';

const tree = sampleTree({
  'real/': {},
  'real/f': 'x',
  'real/in': { to: 'f' },
  'real/up': { to: '../../../../real' },
  abs: { to: '/real' },
  rel: { to: 'real' },
  dangling: { to: '/nowhere/x' },
  lexical: { to: 'abs/../top' },
  absLexical: { to: '/abs/../top' },
  loop: { to: 'pool' },
  pool: { to: 'loop' },
  self: { to: '.' },
  file: 'x',
});

test.each([
  ['', ''],
  ['/', ''],
  ['a/../../..', ''],
  ['abs/f', 'real/f'],
  ['/rel/in', 'real/f'],
  ['real/up/f', 'real/f'],
  ['dangling', 'nowhere/x'],
  ['dangling/y', 'nowhere/x/y'],
  ['missing/../abs', 'real'],
  ['lexical', 'top'],
  ['self/self/file', 'file'],
])('%j is %j', (path, expected) => {
  expect(resolveLinks(tree, path)).toBe(expected);
});

test('the last link is kept on demand', () => {
  expect(resolveLinks(tree, 'abs/in', false)).toBe('real/in');
  expect(resolveLinks(tree, 'abs', false)).toBe('abs');
});

test('a link of an absolute target is followed before its `..`', () => {
  expect(resolveLinks(tree, 'absLexical')).toBe('top');
});

test('loops and files on the way are errors', () => {
  expect(() => resolveLinks(tree, 'loop')).toThrow('too many links');
  expect(() => resolveLinks(tree, 'file/x')).toThrow('lstat /file/x: not a directory');
});
