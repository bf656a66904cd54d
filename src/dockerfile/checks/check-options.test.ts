import { expect, test } from 'vitest';
import { checkOptionsFor, withComments } from './check-options.js';

test('the directive says what is skipped', () => {
  expect(checkOptionsFor('# check=skip=A,B;error=true\nFROM a', {})).toEqual({
    skip: new Set(['A', 'B']),
    experimental: new Set(),
    error: true,
  });
  expect(checkOptionsFor('FROM a\n# check=skip=all', {}).skip).toEqual(new Set());
  expect(checkOptionsFor('# check=skip=all;experimental=all', {})).toMatchObject({ skip: 'all', experimental: 'all' });
});

test('the build-arg wins over the file', () => {
  const options = checkOptionsFor('# check=skip=all', { BUILDKIT_DOCKERFILE_CHECK: 'error=1' });
  expect(options).toEqual({ skip: new Set(), experimental: new Set(), error: true });
});

test.each([
  ['skip', 'invalid check option "skip"'],
  ['skip=all;', 'invalid check option ""'],
  ['foo=bar', 'invalid check option "foo"'],
  ['error=yes', 'failed to parse check option "error=yes": strconv.ParseBool: parsing "yes": invalid syntax'],
])('`%s` is refused', (value, message) => {
  expect(() => checkOptionsFor(`# check=${value}\nFROM a`, {})).toThrow(`failed to parse check options: ${message}`);
  expect(() => checkOptionsFor('', { BUILDKIT_DOCKERFILE_CHECK: value })).toThrow(
    expect.objectContaining({
      code: 'USAGE',
      message: `failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK: ${message}`,
    }),
  );
});

test('comments add to the options; the first that is a check counts', () => {
  const options = checkOptionsFor('# check=skip=A', {});
  expect(withComments(options, ['about', 'check=skip=B', 'check=skip=C']).skip).toEqual(new Set(['A', 'B']));
  expect(withComments(options, ['check=skip=all']).skip).toBe('all');
  expect(withComments(options, ['check=nothing', 'check=skip=B'])).toBe(options);
});
