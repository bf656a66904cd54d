import { setTimeout as sleep } from 'node:timers/promises';
import type { RunSpec } from '../types.js';
import { straysIn } from './strays.js';
import { ChrootExecutor, type ChrootOptions } from './chroot-executor.js';

/** A process as the worker of this rung is one, for tests: runs what it is sent, one after the other. */
export interface FixtureTask {
  readonly spec: RunSpec;
  readonly options: ChrootOptions;
  readonly abortAfterMs?: number;
}

export interface FixtureAnswer {
  readonly status?: unknown;
  readonly error?: { readonly code: unknown; readonly message: string };
  readonly stdout: string;
  readonly stderr: string;
}

process.on('message', (task: FixtureTask | { readonly strays: string }) => {
  if ('strays' in task) process.send?.(straysIn(task.strays));
  else void run(task).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));

async function run({ spec, options, abortAfterMs }: FixtureTask): Promise<FixtureAnswer> {
  const said = { stdout: '', stderr: '' };
  const stop = new AbortController();
  const executor = new ChrootExecutor(options);
  if (abortAfterMs !== undefined) void sleep(abortAfterMs).then(() => stop.abort(new Error('stopped by the test')));
  try {
    const status = await executor.run(spec, {
      signal: stop.signal,
      onOutput: (stream, chunk) => void (said[stream] += chunk.toString()),
    });
    return { status, ...said };
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    return { error: { code, message }, ...said };
  }
}
