import type { RefId } from '../machine.js';

/** What an edge evaluates to: a ref, or a local directory, which has no face of its own. */
export type OpResult =
  | { readonly kind: 'ref'; readonly ref: RefId }
  | { readonly kind: 'context'; readonly name: string };
