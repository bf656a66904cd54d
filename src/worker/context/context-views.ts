import { parseIgnoreFile } from '../../dockerfile/ignore/ignore-file.js';
import type { Digest } from '../../oci/digest.js';
import { parseFilter } from '../file-op/path-filter.js';
import { ContextView } from './context-view.js';

/** A local directory as an op names it. */
export interface ContextInput {
  readonly name: string;
  readonly dir: string;
  readonly ignore: string;
  readonly digests?: Readonly<Record<string, Digest>>;
}

/** The local directories of a job, each read and hashed once. */
export class ContextViews {
  readonly #views = new Map<string, ContextView>();

  /** Digests that come along say what files must hash to: those of an earlier call count as well. */
  view(input: ContextInput): ContextView {
    let view = this.#views.get(input.name);
    if (!view) {
      view = new ContextView(input.dir, { ignore: parseFilter('exclude', parseIgnoreFile(input.ignore)) });
      this.#views.set(input.name, view);
    }
    if (input.digests) view.expect(input.digests);
    return view;
  }

  /** What is known of the files of a context so far. */
  digests(input: ContextInput): Readonly<Record<string, Digest>> {
    return this.#views.get(input.name)?.knownDigests() ?? {};
  }
}
