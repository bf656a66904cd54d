import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { BuildEvent } from '../job/events.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { copyGraph, type CopyGraphOptions } from './copy-graph.js';
import { MemoryContent } from './memory-content.fixture.js';

const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

function options(more: Partial<CopyGraphOptions> = {}, signal = new AbortController().signal): CopyGraphOptions {
  return { job: { signal, emit: () => undefined, now: () => 0, session: { contexts: new Map() } }, ...more };
}

/** An index of two manifests that share a layer. */
function twoPlatforms() {
  const source = new MemoryContent();
  const shared = source.add(mediaTypes.layer, 'shared layer');
  const own = ['a', 'b'].map((name) => source.add(mediaTypes.layerGzip, `layer of ${name}`));
  const configs = ['a', 'b'].map((name) => source.add(mediaTypes.config, `config of ${name}`));
  const manifests = own.map((layer, i) => source.addManifest(configs[i]!, [shared, layer]));
  return { source, shared, own, configs, manifests, index: source.addIndex(manifests) };
}

/** A sink that fails the test when a document comes before what it leads to. */
function orderedSink(below: ReadonlyMap<Descriptor, readonly Descriptor[]>): MemoryContent {
  const sink = new MemoryContent();
  sink.onTransfer = async (target) => {
    for (const [document, children] of below) {
      if (document.digest !== target.digest) continue;
      for (const child of children) expect(sink.blobs.has(child.digest), child.mediaType).toBe(true);
    }
  };
  return sink;
}

test('everything below an index is copied, each once, and no document before what it leads to', async () => {
  const { source, shared, own, configs, manifests, index } = twoPlatforms();
  const sink = orderedSink(
    new Map<Descriptor, readonly Descriptor[]>([
      [index, manifests],
      ...manifests.map((one, i) => [one, [shared, own[i]!, configs[i]!]] as const),
    ]),
  );
  const counts = await copyGraph(source, sink, index, options());
  expect(new Map(sink.blobs)).toEqual(source.blobs);
  const bytes = [...source.blobs.values()].reduce((sum, one) => sum + one.length, 0);
  expect(counts).toEqual({ copied: { blobs: 8, bytes }, skipped: { blobs: 0, bytes: 0 } });
  expect(sink.asked.filter((one) => one === `put ${shared.digest}`)).toHaveLength(1);
  expect(source.asked.filter((one) => one === `open ${manifests[0]!.digest}`)).toHaveLength(1);
});

test('what the sink has is skipped; only a sink that is closed is believed about what is below', async () => {
  const { source, shared, manifests, index } = twoPlatforms();
  const sink = new MemoryContent();
  await copyGraph(source, sink, index, options());
  const again = await copyGraph(source, sink, index, options());
  expect(again).toMatchObject({ copied: { blobs: 0, bytes: 0 }, skipped: { blobs: 8 } });

  sink.blobs.delete(shared.digest);
  source.asked.length = 0;
  const closed = await copyGraph(source, sink, index, options({ sinkIsClosed: true }));
  expect(closed).toEqual({ copied: { blobs: 0, bytes: 0 }, skipped: { blobs: 1, bytes: index.size } });
  expect(source.asked).toEqual([]);

  expect((await copyGraph(source, sink, index, options())).copied).toEqual({ blobs: 1, bytes: shared.size });

  sink.blobs.delete(index.digest);
  const indexOnly = await copyGraph(source, sink, index, options({ sinkIsClosed: true }));
  expect(indexOnly.copied).toEqual({ blobs: 1, bytes: index.size });
  expect(indexOnly.skipped.blobs).toBe(manifests.length);
});

test('foreign layers, a subject and what `only` leaves out are never asked for', async () => {
  const source = new MemoryContent();
  const config = source.add(mediaTypes.config, 'config');
  const [foreign, subject, other] = [FOREIGN, mediaTypes.manifest, mediaTypes.manifest].map((mediaType, i) => {
    const target = source.add(mediaType, `absent ${i}`);
    source.blobs.delete(target.digest);
    return target;
  }) as [Descriptor, Descriptor, Descriptor];
  const manifest = source.addManifest(config, [foreign], { subject });
  const index = source.addIndex([manifest, other]);
  const sink = new MemoryContent();
  await copyGraph(source, sink, index, options({ only: (child) => child.digest !== other.digest }));
  expect([...sink.blobs.keys()].sort()).toEqual([config, manifest, index].map(({ digest }) => digest).sort());
  expect(sink.asked.join(' ')).not.toMatch(new RegExp(`${foreign.digest}|${subject.digest}|${other.digest}`));
});

test('children of an index that are no images are blobs, and so may the root be', async () => {
  const source = new MemoryContent();
  const index = source.addIndex([source.add(mediaTypes.layerGzip, 'cache'), source.add('application/x', 'settings')]);
  const sink = new MemoryContent();
  expect((await copyGraph(source, sink, index, options())).copied.blobs).toBe(3);
  const blob = source.add('application/y', 'alone');
  expect((await copyGraph(source, sink, blob, options())).copied.blobs).toBe(1);
});

test('no more than `parallel` are under way, and as many are', async () => {
  const source = new MemoryContent();
  const layers = Array.from({ length: 20 }, (_, i) => source.add(mediaTypes.layer, `layer ${i}`));
  const manifest = source.addManifest(source.add(mediaTypes.config, 'config'), layers);
  const sink = new MemoryContent();
  let [now, most] = [0, 0];
  sink.onTransfer = async () => {
    most = Math.max(most, ++now);
    await sleep(5);
    now--;
  };
  await copyGraph(source, sink, manifest, options({ parallel: 3 }));
  expect(most).toBe(3);
});

test('the first failure is thrown once all have stopped, and no document lands', async () => {
  const { source, own, manifests, index } = twoPlatforms();
  source.blobs.set(own[1]!.digest, Buffer.from('changed ofb'));
  const sink = new MemoryContent();
  let running = 0;
  sink.onTransfer = async (target, { signal }) => {
    running++;
    if (target.digest !== own[1]!.digest) await sleep(50, undefined, { signal }).catch(() => undefined);
    running--;
  };
  await expect(copyGraph(source, sink, index, options())).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  expect(running).toBe(0);
  for (const document of [index, manifests[1]!]) expect(sink.blobs.has(document.digest)).toBe(false);
});

test('it ends with the reason of its signal', async () => {
  const { source, index } = twoPlatforms();
  const stop = new AbortController();
  const sink = new MemoryContent();
  sink.onTransfer = async () => stop.abort(new Error('enough'));
  await expect(copyGraph(source, sink, index, options({}, stop.signal))).rejects.toThrow('enough');
});

test('it tells what it moves, one item a blob', async () => {
  const { source, own, manifests } = twoPlatforms();
  const events: BuildEvent[] = [];
  const told = options({ doing: 'pushing' });
  const job = { ...told.job, emit: (event: BuildEvent) => void events.push(event) };
  await copyGraph(source, new MemoryContent(), manifests[0]!, { ...told, job });
  const item = `pushing ${own[0]!.digest.slice(7, 19)}`;
  const mine = events.filter((event) => event.type === 'transfer' && event.item === item);
  expect(mine[0]).toMatchObject({ current: 0, total: own[0]!.size, done: false });
  expect(mine.at(-1)).toMatchObject({ current: own[0]!.size, total: own[0]!.size, done: true });
});

test.each([
  ['a manifest with manifests', (m: MemoryContent) => m.addManifest(m.add('c', 'c'), [], { manifests: [] })],
  ['an index with layers', (m: MemoryContent) => m.addIndex([], { layers: [] })],
  ['an index with a config', (m: MemoryContent) => m.addIndex([], { config: {} })],
  ['what is no JSON', (m: MemoryContent) => m.add(mediaTypes.manifest, '{')],
  [
    'indexes within each other without end',
    (m: MemoryContent) => {
      let index = m.addIndex([]);
      for (let i = 0; i < 10; i++) index = m.addIndex([index]);
      return index;
    },
  ],
  [
    'a descriptor that gives another size for a blob that was copied',
    (m: MemoryContent) => {
      const layer = m.add(mediaTypes.layer, 'layer');
      return m.addManifest(m.add('c', 'c'), [layer, { ...layer, size: layer.size + 1 }]);
    },
  ],
])('%s is refused', async (_, make) => {
  const source = new MemoryContent();
  const root = make(source);
  const sink = new MemoryContent();
  await expect(copyGraph(source, sink, root, options())).rejects.toMatchObject({
    code: expect.stringMatching(/^(IMAGE_INVALID|BLOB_CORRUPT)$/),
  });
  expect(sink.blobs.has(root.digest)).toBe(false);
});
