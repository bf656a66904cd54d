import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CacheUnit } from '../store/gc/units.js';
import { loadGcRules } from './gc-rules.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-gc-rules-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = path.join(dir, 'config.toml');
const env = { SLIPWAY_CONFIG: file };
const HOUR = 3_600_000;
const disk = { diskBytes: 1000, now: 1000 * HOUR };

async function rules(text: string): Promise<readonly unknown[] | undefined> {
  writeFileSync(file, text);
  return (await loadGcRules(env))?.(disk);
}

test('without the table, or with `gc = false`, nothing is removed', async () => {
  expect(await loadGcRules({ HOME: dir })).toBeUndefined();
  expect(await rules('[registry."a.test"]\nhttp = true\n')).toBeUndefined();
  expect(await rules('[worker.oci]\ngc = false\nmaxUsedSpace = 5\n')).toBeUndefined();
});

test('policies as they are written: bytes, sizes, parts of the disk, durations', async () => {
  const text = `[[worker.oci.gcpolicy]]
keepDuration = "48h"
maxUsedSpace = "1kB"
filters = ["type==exec.cachemount", "type==regular,private"]
[[worker.oci.gcpolicy]]
all = true
keepDuration = 3600
keepBytes = 7
minFreeSpace = "20%"
`;
  const [first, second] = (await rules(text)) as [{ matches: (unit: CacheUnit) => boolean }, unknown];
  expect(first).toMatchObject({ all: false, unusedSince: 952 * HOUR, maxUsedSpace: 1024 });
  const unit = { type: 'regular', shared: false } as CacheUnit;
  expect(
    [unit, { ...unit, shared: true }, { ...unit, type: 'exec.cachemount' } as CacheUnit].map(first.matches),
  ).toEqual([true, false, true]);
  expect(second).toEqual({ all: true, unusedSince: 999 * HOUR, reservedSpace: 7, minFreeSpace: 200 });
});

test("buildkitd's own policies, with the bounds that are given or its own", async () => {
  const bounds = { reservedSpace: 100, maxUsedSpace: 600, minFreeSpace: 200 };
  expect(await rules('[worker.oci]\ngc = true\n')).toMatchObject([
    { all: false, maxUsedSpace: 512 * 1024 ** 2 },
    { all: false, unusedSince: (1000 - 1440) * HOUR, ...bounds },
    { all: false, ...bounds },
    { all: true, ...bounds },
  ]);
  expect((await rules('[worker.oci]\ngckeepstorage = 3\n'))!.slice(2)).toEqual([
    { all: false, reservedSpace: 3 },
    { all: true, reservedSpace: 3 },
  ]);
});

test.for([
  ['[worker.oci]\nmaxUsedSpace = "much"\n', ':2: `worker.oci.maxUsedSpace`'],
  ['[worker.oci]\n[[worker.oci.gcpolicy]]\nkeepDuraton = 1\n', ':3: unknown key `keepDuraton`'],
  ['[worker.oci]\n[[worker.oci.gcpolicy]]\nfilters = ["colour=red"]\n', ':3: '],
  ['[worker.containerd]\ngc = true\n', 'unknown key `containerd`'],
])('what it cannot mean is told with its line: %j', async ([text, message]) => {
  writeFileSync(file, text!);
  await expect(loadGcRules(env)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(message!),
  });
});
