import { findImage, openStore } from '../../build/index.js';
import { parseTag, withDefaultTag } from '../../oci/reference.js';

export async function run(
  source: string,
  target: string,
  flags: { readonly root?: string },
  signal: AbortSignal,
): Promise<void> {
  const reference = withDefaultTag(parseTag(target));
  await using opened = await openStore(flags.root, signal);
  const { target: descriptor } = await findImage(opened.store, source, { signal });
  await opened.store.images.tag(descriptor, [reference], { signal });
}
