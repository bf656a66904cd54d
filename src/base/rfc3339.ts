/** Milliseconds since 1970 as RFC 3339 the way Go writes it: a fraction has no zeros at its end, and is left out when it is zero. */
export function formatRfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0+Z$/, 'Z');
}
