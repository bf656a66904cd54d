import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { decompress } from '../../src/layer/compression.js';
import { unpackLayer } from '../../src/layer/unpack.js';
import { readArchive } from '../../src/worker/file-op/archive.js';
import { collectChanges } from '../../src/worker/file-op/changes.js';
import { Overlay } from '../../src/worker/file-op/overlay.js';
import { unpackMembers } from '../../src/worker/file-op/unpack.js';
import { writeLayout } from '../support/layout.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { forSeeds, requireOwn, tryBuild, type Outcomes } from './build-in-process.js';
import { mutateTar, sampleTars } from './mutate-tar.js';
import { Seeded } from '../support/seeded.js';

const RUNS = 1000;
/** Whole builds take longer. */
const BUILDS = 120;
const tars = sampleTars();
let dir = '';
beforeAll(() => void (dir = makeTempDir('fuzz-archives')));
afterAll(() => removeTempDir(dir));

test(`ADD of ${BUILDS} mutated archives`, { timeout: 120_000 }, async () => {
  const context = path.join(dir, 'add');
  mkdirSync(context);
  writeFileSync(path.join(context, 'Dockerfile'), 'FROM scratch\nADD --chown=1:2 a.tar /d/\nADD a.tar /\n');
  const outcomes: Outcomes = { built: 0, failed: 0 };
  await forSeeds('ADD of a mutated archive', BUILDS, async (seed) => {
    writeFileSync(path.join(context, 'a.tar'), mutateTar(tars, new Seeded(seed)));
    await tryBuild({ context, root: path.join(dir, 'store') }, outcomes);
  });
  expect(outcomes.built).toBeGreaterThan(BUILDS / 10);
  expect(outcomes.failed).toBeGreaterThan(BUILDS / 10);
});

test(`COPY onto ${BUILDS} bases with a mutated layer`, { timeout: 120_000 }, async () => {
  const context = path.join(dir, 'copy');
  const layout = path.join(dir, 'layout');
  mkdirSync(context);
  const dockerfile = 'FROM base\nWORKDIR /d/w\nCOPY --chown=app Dockerfile link/\nCOPY --from=base / /all\n';
  writeFileSync(path.join(context, 'Dockerfile'), dockerfile);
  const outcomes: Outcomes = { built: 0, failed: 0 };
  await forSeeds('COPY onto a mutated layer', BUILDS, async (seed) => {
    rmSync(layout, { recursive: true, force: true });
    writeLayout(layout, { layers: [tars[seed % tars.length]!, mutateTar(tars, new Seeded(seed))] });
    await tryBuild(
      { context, root: path.join(dir, 'store'), buildContexts: { base: `oci-layout://${layout}` } },
      outcomes,
    );
  });
  expect(outcomes.built).toBeGreaterThan(BUILDS / 10);
});

test(`unpacking ${RUNS} mutated layers`, { timeout: 120_000 }, async () => {
  const target = path.join(dir, 'tree');
  await forSeeds('unpacking a mutated layer', RUNS, async (seed) => {
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    try {
      const bytes = decompress([mutateTar(tars, new Seeded(seed))]);
      await unpackLayer(bytes, fromText(target), { dialect: 'plain', owners: 'drop' });
    } catch (error) {
      requireOwn(error);
    }
  });
});

test(`planning what ${RUNS} mutated archives change`, { timeout: 120_000 }, async () => {
  const { signal } = new AbortController();
  const spool = path.join(dir, 'spool');
  await forSeeds('planning a mutated archive', RUNS, async (seed) => {
    rmSync(spool, { force: true });
    const overlay = new Overlay({ inputs: [], base: -1, now: 9000 });
    try {
      const members = await readArchive(decompress([mutateTar(tars, new Seeded(seed))]), spool, signal);
      unpackMembers(members ?? [], overlay, '', undefined);
      await collectChanges(overlay);
    } catch (error) {
      requireOwn(error);
    }
  });
});
