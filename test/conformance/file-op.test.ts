import { expect, test } from 'vitest';
import { run } from './file-op.js';
import { conformanceDir } from './report.js';

const dir = conformanceDir();

test.skipIf(dir === undefined)(
  'file ops give the layers that BuildKit gives (skipped without the conformance data: set SLIPWAY_CONFORMANCE)',
  async () => {
    const report = await run(dir!);
    expect(report.total).toBeGreaterThan(0);
    expect(report.failures).toEqual([]);
  },
);
