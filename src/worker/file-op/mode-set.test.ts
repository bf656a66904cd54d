import { expect, test } from 'vitest';
import { parseMode } from './mode-set.js';

test.each([
  ['u=rwX,go=rX', 0o640, false, 0o644],
  ['u=rwX,go=rX', 0o750, false, 0o755],
  ['u=rwX,go=rX', 0o600, true, 0o755],
  ['a=r', 0o7777, false, 0o1444],
  ['=', 0o7777, false, 0o1000],
  ['+x', 0o640, false, 0o751],
  ['+t', 0o644, false, 0o1644],
  ['o+t', 0o644, false, 0o644],
  ['o+s', 0o644, false, 0o644],
  ['ug+s', 0o755, false, 0o6755],
  ['g+rwXs', 0o600, false, 0o2660],
  ['u+w-x', 0o755, false, 0o655],
  ['a-X', 0o755, false, 0o644],
  ['g=u', 0o740, false, 0o770],
  ['go=u-w', 0o700, false, 0o755],
  ['go-u', 0o757, false, 0o700],
  ['o+g', 0o640, false, 0o644],
  ['u=rg', 0o050, false, 0o450 | 0o100],
  ['u+rw,g-w,o=', 0o477, false, 0o650],
  ['644', 0o7777, true, 0o644],
  ['04755', 0, false, 0o4755],
])('%s turns %o (directory: %s) into %o', (text, mode, isDir, expected) => {
  expect(parseMode(text)(mode, isDir).toString(8)).toBe(expected.toString(8));
});

test.each(['', 'u', 'u+z', 'u+x,', ',u+x', '-1', '888', '10000', '64a', 'z=r', 'u+x g'])('%j is refused', (text) => {
  expect(() => parseMode(text)).toThrow('invalid syntax');
});
