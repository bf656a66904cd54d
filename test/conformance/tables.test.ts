import { expect, test } from 'vitest';
import { run as runParser } from './parser.js';
import { conformanceDir } from './report.js';
import { tables } from './tables/index.js';

const dir = conformanceDir();

test.skipIf(dir === undefined).each([...tables, ['parser', runParser] as const])(
  '%s agrees with BuildKit (skipped without the conformance data: set SLIPWAY_CONFORMANCE)',
  async (_, run) => {
    const report = await run(dir!);
    expect(report.total).toBeGreaterThan(0);
    expect(report.failures).toEqual([]);
  },
);
