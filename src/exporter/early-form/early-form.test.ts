import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { mediaTypes, type Descriptor } from '../../oci/descriptor.js';
import { digestOf, type DiffId } from '../../oci/digest.js';
import { Store } from '../../store/store.js';
import type { CompressionOptions } from '../layer-form.js';
import { EarlyForm } from './early-form.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-early-form-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const stop = new AbortController();
const { store, lease } = await Store.open(path.join(dir, 'store'), stop);
afterAll(() => lease.release());
const gzip: CompressionOptions = { type: 'gzip', level: 5, force: false, mediaTypes: 'oci' };

const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i * 7919} lines\n`).join(''));
const PART = 700_001;

/** Writes the content in parts, as a packer does. */
async function packed(form: EarlyForm, fd: number): Promise<void> {
  for (let at = 0; at < CONTENT.length; at += PART) {
    const part = CONTENT.subarray(at, at + PART);
    for (let done = 0; done < part.length;) done += writeSync(fd, part, done);
    form.wrote(part.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('the form is there when the layer is, and is remembered for it', async () => {
  const fd = openSync(path.join(dir, 'tar'), 'wx+');
  const form = (await EarlyForm.begin(fd, gzip, store, stop))!;
  await packed(form, fd);
  const digest = digestOf(CONTENT);
  const diffId = digest as string as DiffId;
  await form.finish({ diffId, blob: { mediaType: mediaTypes.layer, digest, size: CONTENT.length } });
  closeSync(fd);
  const known = (await store.records.fact(`gzip-5-${diffId.slice(7)}`)) as Descriptor;
  const bytes = readFileSync(store.blobs.path(known.digest));
  expect([digestOf(bytes), bytes.length]).toEqual([known.digest, known.size]);
  expect(gunzipSync(bytes).equals(CONTENT)).toBe(true);
});

test('one that is not needed any more, or is aborted, leaves nothing', async () => {
  const fd = openSync(path.join(dir, 'other'), 'wx+');
  const files = (): readonly string[] => readdirSync(store.paths.temp(store.leaseId));
  const before = files();
  const form = (await EarlyForm.begin(fd, gzip, store, stop))!;
  await packed(form, fd);
  await form.abandon();
  const cut = new AbortController();
  const aborted = (await EarlyForm.begin(fd, gzip, store, cut))!;
  await packed(aborted, fd);
  cut.abort(new Error('enough'));
  const layer = {
    diffId: digestOf('x') as string as DiffId,
    blob: { mediaType: mediaTypes.layer, digest: digestOf('x'), size: 1 },
  };
  await expect(aborted.finish(layer)).rejects.toThrow();
  await aborted.abandon();
  closeSync(fd);
  expect(files()).toEqual(before);
  expect(await store.records.fact(`gzip-5-${layer.diffId.slice(7)}`)).toBeUndefined();
});

test('a form that takes no time is not begun', async () => {
  expect(await EarlyForm.begin(0, { ...gzip, type: 'uncompressed' }, store, stop)).toBeUndefined();
});
