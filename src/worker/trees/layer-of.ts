import { BuildError } from '../../base/errors.js';
import type { LayerFact, RefStore } from '../../store/refs.js';

/** The layer that a tree is to be made from. Throws ISOLATION_UNAVAILABLE: other trees may be all that there is. */
export async function layerOf(id: string, refs: RefStore): Promise<LayerFact> {
  const layer = await refs.layer(id);
  if (layer) return layer;
  throw new BuildError(
    'ISOLATION_UNAVAILABLE',
    'a cached step was made under another isolation and cannot be read here',
    { hint: 'build with the isolation that was used before, or once with `--no-cache`' },
  );
}
