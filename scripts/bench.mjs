// Times Slipway beside its peers: makes the bases that the workloads stand on, bundles bench/main.ts and runs it.
import { bases } from './bases.mjs';
import { EXAMPLE_BASES } from './example.mjs';
import { runBundled } from './run-bundled.mjs';
import { fail } from './say.mjs';
import { setup } from './setup.mjs';

try {
  await setup(['start', 'test']);
  process.env.SLIPWAY_BENCH_BASES = JSON.stringify(Object.fromEntries(await bases([...EXAMPLE_BASES, 'busybox'])));
  await runBundled('bench/main.ts', 'bench');
} catch (error) {
  fail(error);
}
