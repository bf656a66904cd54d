import { setTimeout as sleep } from 'node:timers/promises';
import { BuildError } from '../../base/errors.js';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import type { RefView } from '../../layer/ref-view.js';
import { contentDigest } from '../context/content-digest.js';
import type { TreeParts } from '../local-machine.js';
import type { ContentSelection, RefId } from '../machine.js';
import type { Trees } from '../trees/types.js';
import { SeenView } from '../trees/seen-view.js';
import { UnchangedView } from '../trees/unchanged-view.js';

/** How long a step that begins has the processors for itself. One that ends sooner leaves nothing to be gained. */
const PAUSE_MS = 50;
/** Of how many steps it is remembered. */
const KEPT = 4;

/** What the steps that were run last stood on, as far as it was looked at while they ran, by the refs that they made. */
export class SeenBelow {
  readonly #seen = new Map<string, SeenView>();

  add(ref: string, seen: SeenView): void {
    this.#seen.set(ref, seen);
    for (const oldest of this.#seen.keys()) if (this.#seen.size > KEPT) this.#seen.delete(oldest);
  }

  /** The same view of a ref, quicker where that is known. */
  async over(ref: RefId, view: RefView, trees: Trees | undefined, opts: Cancel): Promise<RefView> {
    const seen = ref === null ? undefined : this.#seen.get(ref);
    const highest = seen && (await trees?.changesOf?.(ref!, opts));
    return seen && highest !== undefined ? new UnchangedView(view, seen, fromText(highest)) : view;
  }
}

/**
 * Looks at what will be asked of the result of a step, in what the step stands on, while it runs: what it leaves as it is need
 * not be looked at again. Ends when it is disposed of, and has then done as much as there was time for.
 */
export function lookAhead(
  parent: RefId,
  selections: readonly ContentSelection[],
  { trees }: TreeParts,
  { signal }: Cancel,
): AsyncDisposable & { end(): Promise<SeenView | undefined> } {
  const over = new AbortController();
  const looking = trees.changesOf && parent !== null && selections.length > 0 ? look() : Promise.resolve(undefined);
  looking.catch(() => undefined); // thrown to who asks for the end
  return {
    end: async () => {
      over.abort();
      return await looking;
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await looking.catch(() => undefined); // what came of the step is to be told
    },
  };

  async function look(): Promise<SeenView | undefined> {
    const ended = AbortSignal.any([signal, over.signal]);
    let seen: SeenView | undefined;
    try {
      await sleep(PAUSE_MS, undefined, { signal: ended });
      using mounted = await trees.mount(parent, { signal: ended });
      if (!mounted.view.contentDigest) return undefined;
      seen = new SeenView(mounted.view, ended);
      for (const selection of selections) await lookAt(seen, selection, { signal: ended });
    } catch (error) {
      if (!ended.aborted) throw error;
    }
    return seen;
  }
}

/** What is not there yet, the step may make. */
async function lookAt(view: SeenView, selection: ContentSelection, opts: Cancel): Promise<void> {
  try {
    await contentDigest(view, selection, opts);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
  }
}
