import { suggestion } from '../../base/suggest.js';
import type { Rule } from './rule.js';

/** Build-args that steer the builder and never become variables. */
const NO_VARIABLES: ReadonlySet<string> = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

export const undefinedVar: Rule<'word'> = {
  name: 'UndefinedVar',
  description: 'Variables should be defined before their use',
  page: 'undefined-var',
  moment: 'word',
  check({ expansion, env, args }, report) {
    for (const name of expansion.unmatched) {
      if (args.has(name) || NO_VARIABLES.has(name)) continue;
      const near = suggestion(name, [...env.keys()], true);
      report(`Usage of undefined variable '$${name}'${near === undefined ? '' : ` (did you mean $${near}?)`}`);
    }
  },
};
