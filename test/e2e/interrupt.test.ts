import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { MARK, mountsBelow, processesLeft, processesOf } from '../support/processes.js';
import type { Ended, RunningSlipway } from '../support/slipway.js';
import { test, type Workspace } from '../support/workspace.js';

/** Far more than it takes, on a machine that does other things too. */
const BOUND_MS = 30_000;

/** Processes that do not want to end, by stage. `nap` is a number of seconds that no other process here sleeps. */
const STUBBORN: Readonly<Record<string, (nap: string) => string>> = {
  deaf: (nap) => `trap '' INT TERM HUP QUIT; up deaf; while :; do sleep ${nap}; done`,
  daemon: (nap) =>
    `(setsid sh -c "trap '' TERM HUP; (setsid sleep ${nap} &); sleep ${nap}" &); up daemon; sleep ${nap}`,
  pipe: (nap) => `sleep ${nap} & sh -c 'kill -STOP $$; : ${nap}' & up pipe; exec sleep ${nap}`,
  tree: (nap) => `grow() { [ $1 = 0 ] || { grow $(($1-1)) & grow $(($1-1)) & }; sleep ${nap}; }; up tree; grow 5`,
  churn: (nap) => `up churn; while :; do (sh -c "sleep 0.05; : ${nap}" &); sleep 0.01; done`,
};

const KINDS = Object.keys(STUBBORN);

/** All of them at once, and a stage that goes on with `last` once they are up. */
function dockerfile(nap: string, last = `sleep ${nap}`): string {
  const up = 'up() { echo up-$1; touch /m/$1; }';
  const stage = (name: string, script: string): string =>
    `FROM busybox AS ${name}\nRUN --mount=type=cache,id=${nap},target=/m <<'END'\n${up}\n${script}\nEND\n`;
  const all = KINDS.map((kind) => `[ -e /m/${kind} ]`).join(' && ');
  const stages = KINDS.map((kind) => stage(kind, STUBBORN[kind]!(nap)));
  stages.push(stage('last', `until ${all}; do sleep 0.1; done; echo all-up; ${last}`));
  const copies = [...KINDS, 'last'].map((name) => `COPY --from=${name} /etc/group /${name}\n`);
  return `${stages.join('')}FROM busybox\n${copies.join('')}`;
}

interface Stubborn {
  readonly running: RunningSlipway;
  readonly nap: string;
}

/** A build whose stages are all at it. */
async function start(
  work: Workspace,
  { last, group }: { readonly last?: string; readonly group?: boolean } = {},
): Promise<Stubborn> {
  const nap = String(randomInt(1_000_000, 9_999_999));
  work.dockerfile(dockerfile(nap, last));
  const running = work.startBuild([], { env: { [MARK]: nap }, ...(group !== undefined && { group }) });
  await running.saying(/^#\d+ [\d.]+ all-up$/m);
  // The tree grows on. A stage that fails does not wait for it.
  while (last === undefined && processesOf(nap, nap).length < 60) await sleep(20);
  return { running, nap };
}

async function withinBound({ running, nap }: Stubborn): Promise<Ended> {
  const late = sleep(BOUND_MS, undefined, { ref: false }).then(() => undefined);
  const ended = await Promise.race([running.ended, late]);
  if (!ended) throw new Error(`did not end; still there are:\n${processesOf(nap, nap).join('\n')}`);
  expect(await processesLeft(nap, nap)).toEqual([]);
  return ended;
}

/** The store is whole, the next build does what it should, and after it nothing of the one before is left. */
async function expectIntact(work: Workspace): Promise<void> {
  expect(mountsBelow(work.dir)).toEqual([]);
  expect(await layoutFaults(work.root)).toEqual([]);
  work.dockerfile('FROM busybox\nRUN echo fine > /fine\n');
  expect((await work.build()).text('fine')).toBe('fine\n');
  for (const dir of ['tmp', 'work', 'leases']) expect(readdirSync(`${work.root}/${dir}`), dir).toEqual([]);
}

describe('processes that do not want to end are gone with the build', { timeout: 4 * BOUND_MS }, () => {
  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s: 130, and what was under way is named',
    async (signal, { work }) => {
      const stubborn = await start(work);
      stubborn.running.kill(signal);
      const ended = await withinBound(stubborn);
      expect(ended).toMatchObject({ code: 130, stdout: '' });
      expect(ended.stderr).toMatch(/^canceled$/m);
      expect(ended.stderr.match(/^#\d+ CANCELED$/gm)).toHaveLength(KINDS.length + 1);
      expect(ended.stderr).not.toMatch(/error|bug/i);
      await expectIntact(work);
    },
  );

  test('`timeout`, which signals the whole group', async ({ work }) => {
    const stubborn = await start(work, { group: true });
    process.kill(-stubborn.running.pid, 'SIGTERM');
    expect(await withinBound(stubborn)).toMatchObject({ code: 130, stderr: expect.stringMatching(/^canceled$/m) });
    await expectIntact(work);
  });

  test('a second Ctrl-C does not wait', async ({ work }) => {
    const stubborn = await start(work, { group: true });
    process.kill(-stubborn.running.pid, 'SIGINT');
    process.kill(-stubborn.running.pid, 'SIGINT');
    expect(await withinBound(stubborn)).toMatchObject({ code: 130, stdout: '' });
    await expectIntact(work);
  });

  test('a stage that fails beside them: its exit code and its output are what is told', async ({ work }) => {
    const stubborn = await start(work, { last: 'echo the reason; exit 7' });
    const ended = await withinBound(stubborn);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/did not complete successfully: exit code: 7/);
    expect(ended.stderr.match(/^#\d+ CANCELED$/gm)).toHaveLength(KINDS.length);
    expect(ended.stderr.match(/^#\d+ ERROR: /gm)).toHaveLength(1);
    await expectIntact(work);
  });

  test('kill -9 of the main process', async ({ work }) => {
    const stubborn = await start(work);
    stubborn.running.kill('SIGKILL');
    expect(await withinBound(stubborn)).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expectIntact(work);
  });

  test('kill -9 of the worker: an error that says so', async ({ work }) => {
    const stubborn = await start(work);
    const workers = processesOf(stubborn.nap, stubborn.nap).filter((line) => /^\d+ \S*node .*worker\.cjs$/.test(line));
    expect(workers).toHaveLength(1);
    process.kill(Number.parseInt(workers[0]!, 10), 'SIGKILL');
    const ended = await withinBound(stubborn);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^error: the worker process was killed$/m);
    expect(ended.stderr).not.toMatch(/bug/);
    await expectIntact(work);
  });
});
