import { expect, test } from 'vitest';
import { BuildError } from '../base/errors.js';
import { notStarted, RunFailedError } from './run-failed.js';

test('the command is quoted as Go does it', () => {
  const error = new RunFailedError(2, undefined, ['/bin/sh', '-c', 'echo "a\\b"\n\té']);
  expect(error.message).toBe(
    'process "/bin/sh -c echo \\"a\\\\b\\"\\n\\té" did not complete successfully: exit code: 2',
  );
});

test('what kept a process from starting names the command, and keeps code and hint', () => {
  const cause = new BuildError('RUN_FAILED', 'unable to find user x', { hint: 'create it' });
  const error = notStarted(['id'], cause);
  expect(error.message).toBe('process "id" did not complete successfully: unable to find user x');
  expect([error.code, error.hint, error.cause]).toEqual(['RUN_FAILED', 'create it', cause]);
});
