import { expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { startSlipway } from '../support/slipway.js';
import { Built, test, type Workspace } from '../support/workspace.js';

const BUILDS = 8;

/** All stand on the same steps; half of them share one more, and each has steps of its own. */
function dockerfile(i: number): string {
  return `FROM busybox AS common
COPY shared /shared
RUN sleep 0.5; cat /shared > /common
RUN sleep 0.5; mkdir /many; for n in $(seq 100); do echo $n > /many/$n; done
FROM common AS half
RUN sleep 0.3; echo half ${i % 2} > /half
FROM busybox
COPY --from=half /common /half /
COPY --from=common /many /many
RUN echo own ${i} > /own
`;
}

/** How often each step ran, whichever build it was. */
function timesRun(builds: readonly Built[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const step of builds.flatMap(({ ran }) => ran)) times.set(step, (times.get(step) ?? 0) + 1);
  return times;
}

/** Builds them all at the same time, each under its own name. */
async function buildAll(work: Workspace): Promise<readonly Built[]> {
  for (let i = 0; i < BUILDS; i++) work.write({ [`Dockerfile.${i}`]: dockerfile(i) });
  work.write({ shared: 'shared', '.dockerignore': 'Dockerfile*\n' });
  const starts = Array.from({ length: BUILDS }, (_, i) => ['-f', `${work.context}/Dockerfile.${i}`, '-t', `app${i}`]);
  return await Promise.all(starts.map((args) => work.build(args)));
}

async function expectAllThere(work: Workspace, builds: readonly Built[]): Promise<void> {
  for (const [i, built] of builds.entries()) {
    expect([built.text('common'), built.text('half'), built.text('own')]).toEqual([
      'shared',
      `half ${i % 2}\n`,
      `own ${i}\n`,
    ]);
    expect([...built.tree.keys()].filter((file) => file.startsWith('many/')).length).toBe(100);
  }
  // A layer that two of them have is one.
  expect([0, 1, 2, 3].map((layer) => new Set(builds.map(({ diffIds }) => diffIds[layer])).size)).toEqual([
    1,
    2,
    1,
    BUILDS,
  ]);
  const { stdout } = await work.run(['images', '--format', 'json']);
  const names = (JSON.parse(stdout) as { readonly repository?: string }[]).flatMap(
    ({ repository }) => repository ?? [],
  );
  expect(new Set(names)).toEqual(new Set(['test', ...builds.map((_, i) => `app${i}`)]));
  expect(await layoutFaults(work.root)).toEqual([]);
  const { code, output } = await work.run(['fsck']);
  expect(code, output).toBe(0);
}

test(`${BUILDS} builds at the same time do shared work once`, { timeout: 120_000 }, async ({ work }) => {
  const builds = await buildAll(work);
  await expectAllThere(work, builds);
  const times = timesRun(builds);
  expect([...times.keys()].filter((step) => step.startsWith('RUN echo own')).length).toBe(BUILDS);
  // By these names there are two steps: they stand on each half.
  for (const [step, count] of times) expect(count, step).toBe(step.startsWith('COPY --from') ? 2 : 1);
});

test(`${BUILDS} builds at the same time as prunes`, { timeout: 180_000 }, async ({ work }) => {
  const done = new AbortController();
  let prunes = 0;
  const prune = async (): Promise<void> => {
    while (!done.signal.aborted) {
      const how = prunes++ % 2 === 0 ? [] : ['-a'];
      const { code, output } = await startSlipway(['prune', '--root', work.root, '-f', ...how]).ended;
      expect(code, output).toBe(0);
    }
  };
  await work.run(['images']); // there is a store
  const pruning = prune();
  try {
    const builds = await buildAll(work);
    await expectAllThere(work, builds);
    const common = [...timesRun(builds)].filter(([step]) => /COPY shared|RUN sleep/.test(step));
    expect(common.map(([, count]) => count)).toEqual(common.map(() => 1));
    expect(common.length).toBe(5);
  } finally {
    done.abort();
    await pruning;
  }
  expect(prunes).toBeGreaterThan(2);
});
