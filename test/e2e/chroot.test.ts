import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { MARK, processesLeft, processesOf } from '../support/processes.js';
import type { RunningSlipway } from '../support/slipway.js';
import { isRoot, test, type Workspace } from '../support/workspace.js';

const CHROOT = '--isolation=chroot';

/** A step that changes a cache, and leaves a process that has nothing to do with it any more. */
const dockerfile = (nap: string): string => `FROM busybox
RUN --mount=type=cache,target=/cache echo "$SALT" >> /cache/f; (setsid sleep ${nap} > /dev/null 2>&1 &); echo started; sleep ${nap}
`;

interface Started {
  readonly running: RunningSlipway;
  /** A number of seconds that no other process here sleeps. */
  readonly nap: string;
}

async function start(work: Workspace): Promise<Started> {
  const nap = String(randomInt(1_000_000, 9_999_999));
  work.dockerfile(dockerfile(nap));
  const running = work.startBuild([CHROOT, '--no-cache'], { env: { [MARK]: nap } });
  await running.saying(/^#\d+ [\d.]+ started$/m);
  while (processesOf(nap, `sleep ${nap}`).length < 4) await sleep(10);
  return { running, nap };
}

/** Lines in the cache, which lies in its place again. */
function linesInCache(work: Workspace): number {
  const mounts = path.join(work.root, 'mounts');
  const [name] = existsSync(mounts) ? readdirSync(mounts) : [];
  return name === undefined ? -1 : readFileSync(path.join(mounts, name, 'f'), 'utf8').split('\n').length - 1;
}

describe.skipIf(!isRoot)('isolation `chroot` (needs root)', () => {
  test('however a build ends, its processes end as well and its caches are in their place', async ({ work }) => {
    let lines = 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
      const { running, nap } = await start(work);
      running.kill(signal);
      await running.ended;
      expect(await processesLeft(nap, nap), signal).toEqual([]);
      expect(linesInCache(work), signal).toBe(++lines);
      expect(leftIn(work), signal).toEqual([]);
    }
  });

  test('a failure for want of /proc says so', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN echo hi > /dev/stderr\n');
    const { code, stderr } = await work.tryBuild([CHROOT]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^hint: with `--isolation=chroot` there is no \/proc/m);
    work.dockerfile('FROM busybox\nRUN exit 3\n');
    expect((await work.tryBuild([CHROOT])).stderr).not.toContain('hint:');
  });

  test('what a worker that was killed has left is put right by the next build, and by prune', async ({ work }) => {
    let lines = 0;
    for (const next of ['build', 'prune'] as const) {
      const { running, nap } = await start(work);
      const worker = processesOf(nap, nap).find((one) => one.includes('bin/worker.cjs'));
      process.kill(Number.parseInt(worker!, 10), 'SIGKILL');
      await running.ended;
      // The step's own process dies with the worker, a moment later; what it started does not.
      while (processesOf(nap, nap).some((line) => !line.endsWith(` sleep ${nap}`))) await sleep(10);
      expect(processesOf(nap, nap)).not.toEqual([]);
      expect(linesInCache(work)).toBe(-1);
      work.dockerfile('FROM busybox\nRUN true\n');
      if (next === 'build') await work.build([CHROOT]);
      else expect(await work.run(['prune', '--force', '--keep-storage=1TB'])).toMatchObject({ code: 0 });
      expect(await processesLeft(nap, nap), next).toEqual([]);
      expect(linesInCache(work), next).toBe(++lines);
      expect(leftIn(work), next).toEqual([]);
    }
  });
});

function leftIn(work: Workspace): readonly string[] {
  const dir = path.join(work.root, 'work');
  return existsSync(dir) ? readdirSync(dir) : [];
}
