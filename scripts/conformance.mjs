// Holds Slipway against the results recorded from BuildKit: bundles test/conformance/main.ts and runs it.
import path from 'node:path';
import { runBundled } from './run-bundled.mjs';
import { fail } from './say.mjs';

try {
  // The bundle's own folder is not where the sources are: say where the data lies.
  process.env.SLIPWAY_CONFORMANCE ??= path.resolve(import.meta.dirname, '../../shared/conformance');
  await runBundled('test/conformance/main.ts', 'conformance');
} catch (error) {
  fail(error);
}
