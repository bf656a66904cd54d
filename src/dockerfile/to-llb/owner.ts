import type { Owner } from '../../llb/types.js';

/** `user[:group]` of `--chown` or USER; numbers and `root` need no passwd file. */
export function ownerOf(text: string): Owner {
  const colon = text.indexOf(':');
  if (colon < 0) return { user: principal(text) };
  return { user: principal(text.slice(0, colon)), group: principal(text.slice(colon + 1)) };
}

function principal(text: string): { readonly name: string } | { readonly id: number } {
  if (text === 'root' || text === '') return { id: 0 };
  const number = /^[-+]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= -(2 ** 31) && number < 2 ** 31) return { id: number >>> 0 };
  return { name: text };
}
