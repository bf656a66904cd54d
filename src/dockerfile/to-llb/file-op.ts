import { makeVertex } from '../../llb/vertex.js';
import type { Edge, FileAction, VertexOptions } from '../../llb/types.js';
import type { Platform } from '../../oci/platform.js';

/** Collects actions that are applied to one file system in turn. */
export class FileOpBuilder {
  readonly #inputs: Edge[] = [];
  readonly #actions: { readonly secondary: number; readonly action: FileAction['action'] }[] = [];
  readonly #base: number;

  /** `base` undefined: an empty file system. */
  constructor(base: Edge | undefined) {
    this.#base = this.#input(base);
  }

  /** `source`: where a copy reads; undefined is an empty file system. */
  add(action: FileAction['action'], source?: Edge): this {
    this.#actions.push({ secondary: this.#input(source), action });
    return this;
  }

  build(platform: Platform, options: VertexOptions): Edge {
    const last = this.#actions.length - 1;
    const actions = this.#actions.map(({ secondary, action }, i): FileAction => ({
      input: i === 0 ? this.#base : this.#inputs.length + i - 1,
      secondaryInput: secondary,
      output: i === last ? 0 : -1,
      action,
    }));
    return { vertex: makeVertex({ kind: 'file', actions }, this.#inputs, platform, options), output: 0 };
  }

  #input(edge: Edge | undefined): number {
    if (edge === undefined) return -1;
    const known = this.#inputs.findIndex(
      (one) => one.vertex.digest === edge.vertex.digest && one.output === edge.output,
    );
    return known >= 0 ? known : this.#inputs.push(edge) - 1;
  }
}
