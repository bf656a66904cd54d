/** Bytes of a tree's name: short, because the options of an overlay are limited to a page. */
export const NAME_BYTES = 8;
