/**
 * Flags that V8 heeds in a worker; what was compiled for it before is taken only under these (`scripts/bundle-scripts.mjs`).
 * Megabytes: a heap for new objects that stays small is collected often, so what unpacking leaves does not pile up.
 */
export const V8_FLAGS = ['--max-semi-space-size=1'] as const;
