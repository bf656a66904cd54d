import type { Store } from '../store/store.js';
import { LayerContent } from '../worker/layer-content.js';
import type { ImageRefs, Sources } from '../worker/ops/source.js';
import { GitTrees } from '../worker/remote/git-trees.js';
import { HttpFiles } from '../worker/remote/http-files.js';

/** Where the sources of a job come from. `uploads`: URLs that stand for files of this machine. */
export function openSources(store: Store, images: ImageRefs, uploads?: ReadonlyMap<string, string>): Sources {
  const layers = new LayerContent(store);
  return { images, http: new HttpFiles(store, layers, uploads), git: new GitTrees(store, layers) };
}
