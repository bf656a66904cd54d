import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../base/abort.js';
import { collectGarbage } from '../base/collect-garbage.js';
import { pushNames } from '../exporter/push-destinations.js';
import { parseReference } from '../oci/reference.js';
import type { LazyRegistries } from './lazy-registries.js';
import type { BuildOptions } from './options.js';
import { outputsOf } from './require-exportable.js';

/** How long a step that begins has the processors for itself. One that ends sooner leaves nothing to be gained. */
const PAUSE_MS = 100;

/**
 * Makes ready, while a step runs, what the outputs will need after it: the registries that the image is pushed to. What
 * cannot be made ready is an error when it is needed, and not before. Ends at once when the signal aborts.
 */
export async function prepareOutputs(options: BuildOptions, registries: LazyRegistries, opts: Cancel): Promise<void> {
  const hosts = pushHosts(options);
  if (hosts.length === 0) return;
  try {
    await sleep(PAUSE_MS, undefined, { signal: opts.signal, ref: false });
    const opened = await registries.get();
    for (const { registry, insecure } of hosts) await opened.prepare(registry, { insecure });
    collectGarbage(); // what loading them has left would else be collected in the middle of what comes after the step
  } catch {
    // Whatever it was, the first request throws it again, to who can tell it.
  }
}

function pushHosts({ tags = [], outputs }: BuildOptions): readonly { registry: string; insecure: boolean }[] {
  return outputsOf({ ...(outputs && { outputs }) }).flatMap((output) => {
    if (output.type !== 'image' || !output.push) return [];
    const references = (output.names.length > 0 ? output.names : tags).map(parseReference);
    return pushNames(references, output.pushByDigest).map(({ name }) => ({
      registry: name.registry,
      insecure: output.insecure,
    }));
  });
}
