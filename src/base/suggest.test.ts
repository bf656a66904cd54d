import { expect, test } from 'vitest';
import { suggestion, withSuggestion } from './suggest.js';

test('takes the nearest option within two edits', () => {
  expect(suggestion('mont', ['mount', 'network'], true)).toBe('mount');
  expect(suggestion('abcdef', ['mount', 'network'], true)).toBeUndefined();
  expect(suggestion('bulid', ['base', 'build'], true)).toBe('build');
});

test('an exact option is no typing error', () => {
  expect(suggestion('mount', ['mount', 'mounts'], true)).toBeUndefined();
});

test('takes the case of what was written', () => {
  expect(suggestion('coppy', ['COPY'], false)).toBe('copy');
  expect(suggestion('COPPY', ['copy'], false)).toBe('COPY');
  expect(withSuggestion('no', 'RUNN', ['RUN'], false)).toBe('no (did you mean RUN?)');
});
