import { expect, test } from 'vitest';
import { actionPath, cleanPath, hasWildcards, joinPath, pathIn } from './paths.js';

test('cleans and joins as Go does', () => {
  expect(cleanPath('/a//b/../c/')).toBe('/a/c');
  expect(cleanPath('/')).toBe('/');
  expect(cleanPath('')).toBe('.');
  expect(joinPath('/', 'a', '', '../b')).toBe('/b');
  expect(joinPath('', '')).toBe('');
});

test('a relative path is put under its parent, an absolute one stays as written', () => {
  expect(pathIn('/w', 'a/./b', false)).toBe('/w/a/b');
  expect(pathIn('w', 'a', false)).toBe('/w/a');
  expect(pathIn('/w', '/a//b/', false)).toBe('/a//b/');
  expect(pathIn('/w', '', false)).toBe('/w');
});

test('a slash at the end survives where it says something', () => {
  expect(pathIn('/w', './', true)).toBe('/w/');
  expect(pathIn('/w', 'd/', true)).toBe('/w/d/');
  expect(pathIn('/w', 'd/.', true)).toBe('/w/d/.');
  expect(actionPath('/w//d/', true)).toBe('/w/d/');
  expect(actionPath('d/', false)).toBe('/d');
});

test('a wildcard that is escaped is none', () => {
  expect(hasWildcards('a*')).toBe(true);
  expect(hasWildcards('a\\*b')).toBe(false);
  expect(hasWildcards('[a]')).toBe(true);
});
