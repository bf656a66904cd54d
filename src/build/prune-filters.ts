import { BuildError } from '../base/errors.js';
import { parseDuration } from '../dockerfile/instructions/duration.js';
import { Fault } from '../dockerfile/diagnostic.js';
import type { CacheUnit } from '../store/gc/units.js';

export interface CacheFilters {
  /** What was used in the last so many milliseconds is left out. */
  readonly until?: number;
  /** Undefined without a filter that chooses. */
  readonly matches?: (unit: CacheUnit) => boolean;
}

const TYPES = ['regular', 'internal', 'frontend', 'source.local', 'source.git.checkout', 'exec.cachemount'];

type Value = string | boolean | readonly string[];
const FIELDS: Readonly<Record<string, (unit: CacheUnit) => Value>> = {
  id: (unit) => unit.id,
  parents: (unit) => unit.parents,
  description: (unit) => unit.description,
  type: (unit) => unit.type,
  inuse: (unit) => unit.inUse,
  mutable: (unit) => unit.mutable,
  immutable: (unit) => !unit.mutable,
  shared: (unit) => unit.shared,
  private: (unit) => !unit.shared,
};

/**
 * Reads `--filter` as buildx does: `until=DURATION`, `FIELD` for what is true of it, `FIELD=VALUE`, `FIELD!=VALUE`,
 * `FIELD~=PATTERN` (a regular expression). All must be met. An id may be given by its first digits. Throws USAGE.
 */
export function parseCacheFilters(texts: readonly string[]): CacheFilters {
  const tests: ((unit: CacheUnit) => boolean)[] = [];
  let until: number | undefined;
  for (const text of texts) {
    const {
      field = '',
      operator,
      value = '',
    } = /^(?<field>[a-z]+)(?:(?<operator>~=|!=|==?)(?<value>.*))?$/s.exec(text)?.groups ?? {};
    if (field === 'until') {
      if (operator !== '=' || until !== undefined) throw invalid(text, 'it is given once, as `until=24h`');
      until = milliseconds(text, value);
    } else tests.push(testOf(text, field, operator, value));
  }
  return {
    ...(until !== undefined && { until }),
    ...(tests.length > 0 && { matches: (unit: CacheUnit) => tests.every((test) => test(unit)) }),
  };
}

function testOf(
  text: string,
  field: string,
  operator: string | undefined,
  value: string,
): (unit: CacheUnit) => boolean {
  const read = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (!read) throw invalid(text, `the filters are: until, ${Object.keys(FIELDS).join(', ')}`);
  if (field === 'type' && operator !== '~=' && !TYPES.includes(value)) {
    throw invalid(text, `the types are: ${TYPES.join(', ')}`);
  }
  const isEqual = comparison(text, field, operator, value);
  return (unit) => {
    const has = read(unit);
    const found = typeof has === 'object' ? has.some(isEqual) : isEqual(String(has));
    return operator === '!=' ? !found : found;
  };
}

function comparison(
  text: string,
  field: string,
  operator: string | undefined,
  value: string,
): (has: string) => boolean {
  if (operator === undefined) return (has) => has !== '' && has !== 'false';
  if (operator === '~=') {
    const pattern = patternOf(text, value);
    return (has) => pattern.test(has);
  }
  if (field === 'id' || field === 'parents') {
    return (has) => value !== '' && (has.startsWith(value) || has.startsWith(`sha256:${value}`));
  }
  return (has) => has === value;
}

function patternOf(text: string, value: string): RegExp {
  try {
    return new RegExp(value);
  } catch (error) {
    throw invalid(text, `it is no regular expression: ${(error as Error).message}`);
  }
}

function milliseconds(text: string, value: string): number {
  try {
    return parseDuration(value) / 1e6;
  } catch (error) {
    if (error instanceof Fault) throw invalid(text, error.message);
    throw error;
  }
}

function invalid(text: string, hint: string): BuildError {
  return new BuildError('USAGE', `invalid filter \`${text}\``, { hint });
}
