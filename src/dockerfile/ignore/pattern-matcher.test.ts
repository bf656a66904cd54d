import { expect, test } from 'vitest';
import { fromText } from '../../base/bytes.js';
import { matchGlob } from './glob.js';
import { PatternMatcher } from './pattern-matcher.js';

test('a matched directory is skippable unless a later ! pattern could match below it', () => {
  const skippable = (patterns: string[], dir: string): boolean => {
    const matcher = new PatternMatcher(patterns);
    return matcher.enterDir(dir, matcher.root).skippable;
  };
  expect(skippable(['node_modules'], 'node_modules')).toBe(true);
  expect(skippable(['node_modules'], 'src')).toBe(false);
  expect(skippable(['*', '!src'], 'node_modules')).toBe(true);
  expect(skippable(['*', '!src/main.ts'], 'src')).toBe(false);
  expect(skippable(['*', '!*/keep'], 'lib')).toBe(false);
  expect(skippable(['*', '!**/*.md'], 'lib')).toBe(false);
  expect(skippable(['*', '![^x]y'], 'lib')).toBe(false); // a negated class matches across slashes
  expect(skippable(['!lib/a', 'lib'], 'lib')).toBe(true);
});

test('a walk agrees with looking at single paths', () => {
  const paths = ['a', 'a/b', 'a/b/c.md', 'a/b/d', 'e', 'e/f.md', 'é'];
  for (const patterns of [['a'], ['*', '!a/b'], ['**', '!**/*.md'], ['a/*', '!a/b', 'a/b/d'], ['?']]) {
    const matcher = new PatternMatcher(patterns);
    const dirs = new Map([['', matcher.root]]);
    for (const path of paths.map(fromText)) {
      const parent = dirs.get(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')!;
      dirs.set(path, matcher.enterDir(path, parent));
      expect(matcher.matchesFile(path, parent), `${patterns.join(' ')}: ${path}`).toBe(matcher.matches(path));
    }
  }
});

test('globs match as filepath.Match does', () => {
  expect(matchGlob('*.go', 'main.go')).toBe(true);
  expect(matchGlob('*', 'a/b')).toBe(false);
  expect(matchGlob('a?c', fromText('aéc'))).toBe(true);
  expect(matchGlob('[^a]', '/')).toBe(true);
  expect(matchGlob('a*b*c', 'aXbbYc')).toBe(true);
  expect(() => matchGlob('[a', 'a')).toThrow('syntax error in pattern');
});

test.each([
  ['*a*a*a*a*a*a*b', 'a'.repeat(200), 'a'.repeat(200) + 'b'],
  ['**/**/**/**/**/**/**/**/x', 'a/'.repeat(60) + 'y', 'a/'.repeat(60) + 'x'],
  ['**/a/**/a/**/a/**/a/**/b?', 'a/'.repeat(200) + 'c', 'a/'.repeat(200) + 'bc'],
])('many wild cards take no time beyond their number: %s', (pattern, misses, matches) => {
  const matcher = new PatternMatcher([pattern]);
  const before = performance.now();
  expect(matcher.matches(fromText(misses))).toBe(false);
  expect(matcher.matches(fromText(matches))).toBe(true);
  expect(performance.now() - before).toBeLessThan(2000);
});
