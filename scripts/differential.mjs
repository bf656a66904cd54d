// Builds directories with BuildKit and with Slipway and compares the images: bundles test/differential/main.ts and runs it.
import { runBundled } from './run-bundled.mjs';
import { fail } from './say.mjs';

try {
  await runBundled('test/differential/main.ts', 'differential');
} catch (error) {
  fail(error);
}
