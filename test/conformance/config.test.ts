import { expect, test } from 'vitest';
import { run } from './config.js';
import { conformanceDir } from './report.js';

const dir = conformanceDir();

test.skipIf(dir === undefined)(
  'image configs, histories and errors are those of BuildKit (skipped without the conformance data: set SLIPWAY_CONFORMANCE)',
  async () => {
    const report = await run(dir!);
    expect(report.total).toBeGreaterThan(0);
    expect(report.failures).toEqual([]);
  },
);
