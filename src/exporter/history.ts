import type { HistoryEntry } from '../oci/image-config.js';

/**
 * Gives every history entry a time, as BuildKit does (exporter/containerimage/writer.go,
 * normalizeLayersAndHistory): a layer's entry that of its layer, entries without a layer the time of the first layer
 * after the base's, or else of the entry before. Layers without an entry get one; entries without a layer are marked so.
 *
 * `layers`: what is known of each layer's making, lowest first.
 */
export function datedHistory(
  history: readonly HistoryEntry[],
  layers: readonly Pick<HistoryEntry, 'created' | 'created_by'>[],
): readonly HistoryEntry[] {
  const withLayer = history.filter((entry) => !entry.empty_layer).length;
  const missing = layers
    .slice(withLayer)
    .map((one): HistoryEntry => ({ ...one, comment: 'buildkit.exporter.image.v0' }));
  let layer = 0;
  const dated = [...history, ...missing].map((entry): HistoryEntry => {
    if (entry.empty_layer) return entry;
    if (layer >= layers.length) return { ...entry, empty_layer: true };
    const created = entry.created ?? layers[layer]!.created;
    layer++;
    return created === undefined ? entry : { ...entry, created };
  });
  let current = firstNewTime(dated);
  let gap = false;
  return dated.map((entry) => {
    if (entry.created !== undefined) {
      if (gap) current = entry.created;
      return entry;
    }
    gap = true;
    return current === undefined ? entry : { ...entry, created: current };
  });
}

/** Of the first entry with a time after one without; else of the last with a time. */
function firstNewTime(history: readonly HistoryEntry[]): string | undefined {
  let time: string | undefined;
  let gap = false;
  for (const { created } of history) {
    if (created === undefined) gap = true;
    else {
      time = created;
      if (gap) break;
    }
  }
  return time;
}
