import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findBuildKit } from './buildkit.js';
import { Both } from './compare-builds.js';

/** A few that together cover RUN, mounts, ADD of archives, --link, --parents, removals and a failure. */
const CASES = ['app-node-like', 'add-tar-odd', 'parents-exclude-link', 'link-chain', 'whiteouts-chain', 'error-run'];

// Only where it was asked for: a BuildKit that merely lies on the PATH is not started by `npm test`.
const asked = process.env['SLIPWAY_BUILDKIT_BIN'] !== undefined;
const programs = findBuildKit(process.env);

if (!asked)
  test.skip('the live differential: SLIPWAY_BUILDKIT_BIN does not name a folder with BuildKit', () => undefined);
else {
  let both: Both;
  beforeAll(async () => {
    if (typeof programs === 'string') throw new Error(programs);
    both = await Both.start(programs, { bases: new Map() });
  }, 120_000);
  afterAll(async () => await both.stop());

  test.each(CASES)('%s: BuildKit and Slipway make the same image', async (name) => {
    expect(await both.compare(path.join(import.meta.dirname, 'cases', name))).toEqual([]);
  });
}
