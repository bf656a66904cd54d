import { BuildError } from '../../base/errors.js';

/** Throws USAGE unless the value of `--format` is one that there is. */
export function requireFormat(format: string): asserts format is 'table' | 'json' {
  if (format === 'table' || format === 'json') return;
  throw new BuildError('USAGE', `invalid format \`${format}\``, { hint: 'the formats are: table, json' });
}
