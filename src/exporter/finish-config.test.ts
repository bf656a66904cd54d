import { expect, test } from 'vitest';
import type { Digest, DiffId } from '../oci/digest.js';
import type { HistoryEntry } from '../oci/image-config.js';
import { finishConfig } from './finish-config.js';
import type { ResultLayer } from './make-image.js';

const BASE: HistoryEntry = { created: '2014-05-13T16:53:20Z', created_by: 'base' };
const EPOCH = 1445412480;
const EPOCH_TEXT = '2015-10-21T07:28:00Z';

function layer(more: Partial<ResultLayer> = {}): ResultLayer {
  const digest = `sha256:${'0'.repeat(64)}`;
  return { diffId: digest as DiffId, blob: { mediaType: 'x', digest: digest as Digest, size: 1 }, size: 1, ...more };
}

function finished(history: readonly HistoryEntry[], layers: readonly ResultLayer[], epoch?: number): unknown {
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, history } as const;
  const made = finishConfig({ layers, config, baseHistory: [BASE] }, epoch) as Record<string, unknown>;
  return [made['created'], ...(made['history'] as HistoryEntry[]).map(({ created }) => created)];
}

test('an image that adds nothing is as old as its base, also where an epoch is given', () => {
  expect(finished([BASE], [layer()])).toEqual([BASE.created, BASE.created]);
  expect(finished([BASE], [layer()], EPOCH)).toEqual([BASE.created, BASE.created]);
});

test('an image without any step has no time', () => {
  expect(finished([], [], EPOCH)).toEqual([null]);
});

test('own steps have the time of their layer, not later than the epoch', () => {
  const step = { created_by: 'RUN' };
  const layers = [layer(), layer({ createdAt: Date.UTC(2020, 0, 1) })];
  expect(finished([BASE, step], layers)).toEqual(['2020-01-01T00:00:00Z', BASE.created, '2020-01-01T00:00:00Z']);
  expect(finished([BASE, step], layers, EPOCH)).toEqual([EPOCH_TEXT, BASE.created, EPOCH_TEXT]);
});

test('fractions of a second have no zeros at their end', () => {
  const times = [10_000, 10_360, 10_001].map((ms) => finished([{ created_by: 'RUN' }], [layer({ createdAt: ms })]));
  expect(times.map((one) => (one as string[])[0])).toEqual([
    '1970-01-01T00:00:10Z',
    '1970-01-01T00:00:10.36Z',
    '1970-01-01T00:00:10.001Z',
  ]);
});

test('a step without a layer has the time of the first own layer, or that of the base', () => {
  const step = { created_by: 'ENV', empty_layer: true };
  expect(finished([BASE, step], [layer()])).toEqual([BASE.created, BASE.created, BASE.created]);
  expect(finished([BASE, step], [layer()], EPOCH)).toEqual([BASE.created, BASE.created, BASE.created]);
});

test('a layer without an instruction gets an entry that says what made it', () => {
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, history: [] } as const;
  const made = finishConfig({ layers: [layer({ description: 'mount /' })], config, baseHistory: [] }, undefined);
  expect(made).toMatchObject({ history: [{ created_by: 'mount /', comment: 'buildkit.exporter.image.v0' }] });
});
