import { expect, test } from 'vitest';
import { expand, expandWord, expandWords } from './expand.js';
import { replaceAll } from './shell-pattern.js';

const variables = new Map([
  ['A', 'a b'],
  ['FILE', 'x.tar.gz'],
]);

test('only unquoted expansions are split into words', () => {
  expect(expandWord('"$A"-$A', variables)).toBe('a b-a b');
  expect(expandWords('"$A"-$A', variables)).toEqual(['a b-a', 'b']);
});

test('trims the shortest or the longest match', () => {
  expect(expandWord('${FILE%.*} ${FILE%%.*} ${FILE#*.} ${FILE##*.}', variables)).toBe('x.tar x tar.gz gz');
});

test('a fault names the word', () => {
  expect(() => expandWord('${B?no B}', variables)).toThrow('failed to process "${B?no B}": B: no B');
});

test('replaces as Go does: no empty match after another match, $0 is the match', () => {
  expect(replaceAll('aab', 'a*', 'x')).toBe('x');
  expect(replaceAll('ab', '', '-')).toBe('-a-b-');
  expect(replaceAll('ab', '?', '<$0$1$$>')).toBe('<a$><b$>');
});

test('a pattern with many stars takes no time beyond its length', () => {
  const variables = new Map([['v', 'a'.repeat(3000)]]);
  for (const word of [`\${v##${'*a'.repeat(30)}b}`, `\${v%${'a*'.repeat(30)}b}`, `\${v//${'*a'.repeat(30)}b/x}`]) {
    expect(expand(word, variables).text).toBe('a'.repeat(3000));
  }
  expect(expand('${v##*a*a?}', new Map([['v', 'banana']])).text).toBe('a');
  expect(expand('${v#*a?a}', new Map([['v', 'banana!']])).text).toBe('na!');
});

test('what grows or nests without end is an error', () => {
  expect(expand('${a:-'.repeat(5000), new Map()).error).toContain('within each other more than 256 deep');
  const big = new Map([['v', 'x'.repeat(600_000)]]);
  expect(expand('$v$v', big).error).toContain('expands to more than 1048576 characters');
  expect(expand('"$v$v"', big).error).toContain('expands to more than 1048576 characters');
  expect(expand('${v//x/ab}', big).error).toContain('more than 1048576 characters');
});
