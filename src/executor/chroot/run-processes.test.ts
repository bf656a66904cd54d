import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { descendants } from '../descendants.js';
import { ChrootWorker, isAlive, processWith } from './start.fixture.js';
import { killStrays, straysIn } from './strays.js';

/** What a RUN leaves that wants to stay: it has a session of its own, and no parent. */
const DAEMON = 'setsid sh -c "setsid sleep 4711 & setsid sleep 4712 &" < /dev/null > /dev/null 2>&1';

describe.skipIf(process.getuid?.() !== 0)('the processes of a RUN (needs root)', () => {
  let worker: ChrootWorker;
  let rootfs: string;
  beforeAll(async () => {
    worker = await ChrootWorker.start();
    rootfs = worker.makeRoot();
  });
  afterAll(async () => await worker[Symbol.asyncDispose]());

  test('end with it, also a daemon, and nothing is left to wait for', async () => {
    for (const uid of [0, 1000]) {
      const user = { uid, gid: uid, additionalGids: [] };
      const answer = await worker.run({ rootfs, user, args: ['sh', '-c', `${DAEMON}; echo started; exit 3`] });
      expect(answer).toMatchObject({ status: { kind: 'exited', code: 3 }, stdout: 'started\n', stderr: '' });
      expect(descendants(worker.pid)).toEqual([]);
    }
  });

  test('that end before it and have no parent are waited for meanwhile', async () => {
    worker.send({ rootfs, args: ['sh', '-c', 'for i in 1 2 3; do setsid sh -c "sleep 0 &"; done; sleep 4713'] });
    const answer = worker.answer();
    const main = await processWith(worker.pid, '4713');
    while (descendants(worker.pid).length > 1) await sleep(20);
    process.kill(main, 'SIGKILL');
    expect((await answer).status).toEqual({ kind: 'exited', code: 137 });
  });

  test('are killed when it is aborted, whatever they do about signals', async () => {
    const answer = await worker.run(
      { rootfs, args: ['sh', '-c', `trap "" TERM INT HUP; ${DAEMON}; echo ready; while :; do sleep 1; done`] },
      { abortAfterMs: 300 },
    );
    expect(answer.error?.message).toBe('stopped by the test');
    expect(descendants(worker.pid)).toEqual([]);
  });

  test('of a worker that was killed: its own process dies with it, the rest is found by where its root is', async () => {
    for (const uid of [0, 1000]) {
      const other = worker.makeRoot();
      await using neighbour = await ChrootWorker.start();
      neighbour.send({ rootfs: other, args: ['sleep', '4716'] });
      const innocent = await processWith(neighbour.pid, '4716');
      const user = { uid, gid: uid, additionalGids: [] };
      worker.send({ rootfs, user, args: ['sh', '-c', `${DAEMON}; sleep 4714`] });
      const main = await processWith(worker.pid, '4714');
      const daemon = await processWith(worker.pid, '4712');
      await worker.kill();
      worker.restart();
      while (isAlive(main)) await sleep(5);
      expect(await worker.strays(rootfs)).toContain(daemon);
      expect(straysIn(path.dirname(rootfs))).toEqual(expect.arrayContaining([daemon, innocent]));
      expect(straysIn(`${rootfs}/tmp`)).toEqual([]);
      killStrays(rootfs);
      expect([isAlive(daemon), isAlive(innocent)]).toEqual([false, true]);
    }
  });

  test('one at a time for all that use a store', async () => {
    await using other = await worker.sibling();
    worker.send({ rootfs, args: ['sleep', '4715'] });
    const first = worker.answer();
    const main = await processWith(worker.pid, '4715');
    const waiting = await other.run({ rootfs: other.makeRoot() }, { abortAfterMs: 200 });
    expect(waiting.error?.message).toBe('stopped by the test');
    process.kill(main, 'SIGKILL');
    await first;
    expect((await other.run({ rootfs: other.makeRoot() })).status).toEqual({ kind: 'exited', code: 0 });
  });
});
