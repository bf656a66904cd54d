import { describe, expect } from 'vitest';
import { CrashLane, type LaneOptions } from '../support/crash-lane.js';
import { isRoot, test } from '../support/workspace.js';

/** 300 in all: 200 as root, and 100 by the same tests as an ordinary user. */
const LANES: readonly LaneOptions[] = isRoot
  ? [
      { seed: 20_240_607, isolation: 'root', kills: { build: 60, pull: 15, push: 15, prune: 20 } },
      { seed: 20_240_608, isolation: 'chroot', kills: { build: 50, pull: 10, push: 10, prune: 20 } },
    ]
  : [{ seed: 20_240_609, isolation: 'userns', kills: { build: 55, pull: 15, push: 15, prune: 15 } }];

const total = LANES.flatMap(({ kills }) => Object.values(kills)).reduce((sum, n) => sum + n, 0);

describe.concurrent(`kill -9 of the main process, ${total} times`, () => {
  for (const lane of LANES) {
    test(
      `${lane.isolation}: no process, no mount, no damage is left, and the next build gives the same image`,
      { timeout: 900_000 },
      async ({ work }) => {
        const { busy, early, total: kills } = await CrashLane.run(work, lane);
        // Most do; how many depends on how busy the machine is.
        expect(busy, 'kills of builds that met a worker').toBeGreaterThan(lane.kills.build * 0.25);
        expect(early, 'kills that came before the end').toBeGreaterThan(kills * 0.4);
        if (process.env['SLIPWAY_TEST_FIGURES']) {
          process.stderr.write(`${lane.isolation}: ${kills} kills, ${early} before the end, ${busy} met a worker\n`);
        }
      },
    );
  }
});
