import { isDeepStrictEqual } from 'node:util';
import { formatRfc3339 } from '../base/rfc3339.js';
import type { HistoryEntry } from '../oci/image-config.js';
import { datedHistory } from './history.js';
import type { BuiltImage } from './make-image.js';

/** As BuildKit's exporter: an image is as new as its last step, one without any has no time (`null`). */
export function finishConfig({ layers, config, baseHistory }: BuiltImage, epoch: number | undefined): object {
  const made = layers.map(({ createdAt, description }) => ({
    ...(createdAt !== undefined && { created: formatRfc3339(createdAt) }),
    ...(description !== undefined && { created_by: description }),
  }));
  const dated = datedHistory(config.history ?? [], made);
  const history = epoch === undefined ? dated : limitTimes(dated, baseHistory, epoch);
  const created = history.findLast((entry) => entry.created !== undefined)?.created ?? null;
  const { created: _, architecture, os, history: _history, rootfs: _rootfs, ...rest } = config;
  return {
    created,
    architecture,
    os,
    ...rest,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history,
  };
}

/** No step of this build is later than `epoch`; those of the base image stay as they are. */
function limitTimes(
  history: readonly HistoryEntry[],
  baseHistory: readonly HistoryEntry[],
  epoch: number,
): readonly HistoryEntry[] {
  const differs = history.findIndex((entry, i) => !isDeepStrictEqual(entry, baseHistory[i]));
  return history.map((entry, i) => {
    const isOwn = differs >= 0 && i >= differs;
    const isLate = entry.created === undefined || Date.parse(entry.created) > epoch * 1000;
    return isOwn && isLate ? { ...entry, created: formatRfc3339(epoch * 1000) } : entry;
  });
}
