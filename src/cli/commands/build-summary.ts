import { unreachable } from '../../base/errors.js';
import type { BuildResult, OutputReport } from '../../build/index.js';
import { formatDuration, formatSize, formatTable } from '../../report/format.js';

/** What a person is told at the end of a build: the layers, what was built, and where it is now. */
export function buildSummary(result: BuildResult, durationMs: number): string {
  const { layers, counts, outputs } = result;
  const table = formatTable(
    layers.map((layer) => [formatSize(layer.size).padStart(8), layer.createdBy.replace(/\s+/g, ' ').slice(0, 90)]),
  );
  const names = result.tags.length > 0 ? ` ${result.tags.join(', ')}` : '';
  const image = `${formatSize(result.size)} in ${layers.length} layer${layers.length === 1 ? '' : 's'}`;
  const total = result.manifestDigest === undefined ? '' : `${image}, `; // files have no layers
  const built =
    `built${names}: ${total}${counts.ran} step${counts.ran === 1 ? '' : 's'} run, ` +
    `${counts.cached} cached, ${formatDuration(durationMs)}`;
  return `${table}${[built, ...outputs.flatMap(whereItIs)].join('\n')}\n`;
}

function whereItIs(output: OutputReport): readonly string[] {
  const { type, dest, digest, stored, pushed } = output;
  switch (type) {
    case 'image': {
      // What is only stored is what was built; its digest is on stdout.
      const kept = stored !== undefined && pushed.length > 0 ? [`stored: ${stored}`] : [];
      return [...kept, ...pushed.map((one) => `pushed ${one.name}: ${one.digest}`)];
    }
    case 'oci':
    case 'docker':
      return [`wrote ${placeOf(dest)}, type=${type}: ${digest}`];
    case 'local':
    case 'tar':
      return [`wrote ${placeOf(dest)}, type=${type}`];
    case 'engine':
      return [`loaded: ${digest}`];
    case 'cacheonly':
      return [];
    default:
      return unreachable(type);
  }
}

function placeOf(dest: string | undefined): string {
  return dest === undefined || dest === '-' ? 'stdout' : dest;
}
