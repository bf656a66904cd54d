import type { LineRange } from '../../dockerfile/diagnostic.js';

/** Lines as BuildKit's subrequests write them in JSON. */
export function locationJson({ startLine, endLine }: LineRange): object {
  return { ranges: [{ start: { line: startLine }, end: { line: endLine } }] };
}

/** `members` without those that say nothing, as Go leaves them out. */
export function withoutEmpty(members: Readonly<Record<string, unknown>>): object {
  const empty = (value: unknown): boolean =>
    value === '' || value === false || value === undefined || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(members).filter(([, value]) => !empty(value)));
}

export function base64(source: string): string {
  return Buffer.from(source).toString('base64');
}
