import type { Cancel } from '../base/abort.js';
import { hexOf } from '../oci/digest.js';
import type { Store } from '../store/store.js';
import { compareFacts, type Comparison } from '../report/comparison.js';
import { imageFacts } from '../report/image-facts.js';
import { findImage } from './images.js';

/** Two images of the store side by side. Throws IMAGE_NOT_FOUND. */
export async function compareImages(store: Store, a: string, b: string, opts: Cancel): Promise<Comparison> {
  const facts = [];
  for (const name of [a, b]) {
    const { image } = await findImage(store, name, opts);
    const remembered = (await store.records.fact(`build-${hexOf(image.descriptor.digest)}`)) as
      | { readonly durationMs: number }
      | undefined;
    facts.push(await imageFacts(name, image, store, remembered?.durationMs, opts));
  }
  return compareFacts(facts[0]!, facts[1]!);
}
