import { unreachable } from '../base/errors.js';
import { EngineExporter } from './engine/engine-exporter.js';
import { FileTreeExporter } from './file-tree.js';
import { ImageArchiveExporter } from './image-archive.js';
import { ImageExporter } from './image-exporter.js';
import type { Exporter, OutputSpec } from './types.js';

/** A new kind of output is a member of `OutputSpec`, its options in `output-spec.ts`, its exporter in a file of its own, and a line here. */
export function exporterFor(spec: OutputSpec): Exporter {
  switch (spec.type) {
    case 'image':
      return new ImageExporter(spec);
    case 'oci':
    case 'docker':
      return new ImageArchiveExporter(spec);
    case 'local':
    case 'tar':
      return new FileTreeExporter(spec);
    case 'engine':
      return new EngineExporter(spec);
    case 'cacheonly':
      return { export: () => Promise.resolve({ pushed: [] }) };
    default:
      return unreachable(spec);
  }
}
