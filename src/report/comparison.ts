import type { ImageFacts } from './image-facts.js';

/** Two images side by side. */
export interface Comparison {
  readonly a: ImageFacts;
  readonly b: ImageFacts;
  /** Share of `a`'s bytes that `b` does without, 0 to 1; negative when `b` is bigger. 0 when `a` is empty. */
  readonly saved: number;
}

export function compareFacts(a: ImageFacts, b: ImageFacts): Comparison {
  return { a, b, saved: a.size === 0 ? 0 : 1 - b.size / a.size };
}
