import { suggestion } from '../../base/suggest.js';
import type { Rule } from './rule.js';

export const undefinedArgInFrom: Rule<'from'> = {
  name: 'UndefinedArgInFrom',
  description: 'FROM command must use declared ARGs',
  page: 'undefined-arg-in-from',
  moment: 'from',
  check({ expansion, declared, globalArgs }, report) {
    const known = new Set([...declared, ...globalArgs.keys()]);
    for (const name of expansion.unmatched) {
      if (known.has(name)) continue;
      const near = suggestion(name, [...known], true);
      report(`FROM argument '${name}' is not declared${near === undefined ? '' : ` (did you mean ${near}?)`}`);
    }
  },
};
