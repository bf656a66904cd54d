import { expect, test } from 'vitest';
import { isTold, progressMode } from './sink.js';

test.each([
  [{}, {}, 'auto'],
  [{ progress: 'rawjson' }, { BUILDKIT_PROGRESS: 'plain' }, 'rawjson'],
  [{ progress: 'auto' }, { BUILDKIT_PROGRESS: 'plain' }, 'plain'],
  [{}, { BUILDKIT_PROGRESS: 'rawjson' }, 'rawjson'],
  [{}, { BUILDKIT_PROGRESS: '' }, 'auto'],
  [{ progress: 'none' }, {}, 'none'],
  [{ quiet: true }, { BUILDKIT_PROGRESS: 'plain' }, 'quiet'],
  [{ quiet: true, progress: 'plain' }, {}, 'quiet'],
])('%j with %j', (flags, env, mode) => {
  expect(progressMode(flags, env)).toBe(mode);
});

test.each([
  [{ progress: 'json' }, {}, 'invalid progress mode `json` in `--progress`'],
  [{}, { BUILDKIT_PROGRESS: 'fancy' }, 'invalid progress mode `fancy` in `BUILDKIT_PROGRESS`'],
  [{ quiet: true, progress: 'rawjson' }, {}, 'cannot be used together'],
])('refused: %j with %j', (flags, env, message) => {
  expect(() => progressMode(flags, env)).toThrow(message);
  expect(() => progressMode(flags, env)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('only a person is told how it went', () => {
  expect((['auto', 'plain', 'tty', 'quiet', 'none', 'rawjson'] as const).filter(isTold)).toEqual([
    'auto',
    'plain',
    'tty',
  ]);
});
