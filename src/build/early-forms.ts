import type { ImageForm, OutputSpec } from '../exporter/types.js';
import type { Store } from '../store/store.js';
import type { MachineParts } from '../worker/local-machine.js';
import type { BuildOptions } from './options.js';
import { outputsOf } from './require-exportable.js';

/** What takes the image's layers while they are packed, in the form that an output will ask for; undefined when none will. */
export function earlyForms(options: Pick<BuildOptions, 'outputs'>, store: Store): MachineParts['beginCopy'] {
  const form = outputsOf(options).find(leavesCompressed);
  if (!form) return undefined;
  const { compression: type, compressionLevel: level, forceCompression: force, mediaTypes } = form;
  return async (tar, opts) => {
    const { EarlyForm } = await import('../exporter/early-form/early-form.js');
    return await EarlyForm.begin(tar, { type, level, force, mediaTypes }, store, opts);
  };
}

/** Layers whose times are rewritten leave as others. */
function leavesCompressed(output: OutputSpec): output is OutputSpec & ImageForm {
  if (!('compression' in output) || output.rewriteTimestamp || output.compression === 'uncompressed') return false;
  return output.type !== 'image' || output.push;
}
