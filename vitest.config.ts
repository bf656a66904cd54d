import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/property-seed.ts'],
    pool: 'threads',
    isolate: false,
    // The end-to-end tests wait for processes most of the time.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 60_000,
  },
});
