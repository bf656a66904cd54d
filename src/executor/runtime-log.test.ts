import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { judge } from './runtime-log.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-log-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = path.join(dir, 'log');
const crun = { name: 'crun', file: '/bin/crun', seccomp: true } as const;
const judged = (code: number, ...lines: readonly object[]): ReturnType<typeof judge> => {
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return judge({ kind: 'exited', code }, file, crun);
};

test('without a word from the runtime it was the process that failed', () => {
  expect(judge({ kind: 'exited', code: 7 }, path.join(dir, 'none'), crun)).toEqual({ kind: 'exited', code: 7 });
  expect(judged(7, { msg: 'careful', level: 'warning' })).toEqual({ kind: 'exited', code: 7 });
});

test.each([
  'executable file `/nope` not found in $PATH: No such file or directory',
  'open executable: Permission denied',
  'runc run failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory',
  'exec container process `/script`: Exec format error',
])('a command that cannot be executed: %s', (msg) => {
  expect(judged(255, { msg, level: 'error' })).toEqual({ kind: 'exited', code: 1 });
});

test('anything else is the failure of the runtime, also as crun wraps it', () => {
  const inner = JSON.stringify({ msg: 'mount `proc` to `proc`: Operation not permitted', level: 'error' });
  expect(() => judged(1, { msg: inner, level: 'error' })).toThrow(
    expect.objectContaining({
      code: 'RUNTIME_FAILED',
      message: 'crun could not make the container: mount `proc` to `proc`: Operation not permitted',
    }),
  );
});
