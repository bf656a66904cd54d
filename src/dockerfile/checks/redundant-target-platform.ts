import type { Rule } from './rule.js';

const TARGET_PLATFORM = 'TARGETPLATFORM';

/** Nothing but the one variable, in whatever form. */
export const redundantTargetPlatform: Rule<'from'> = {
  name: 'RedundantTargetPlatform',
  description: 'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  page: 'redundant-target-platform',
  moment: 'from',
  check({ part, written, expansion, globalArgs }, report) {
    const { matched, unmatched, text } = expansion;
    if (part !== 'platform' || unmatched.size > 0 || matched.size !== 1 || !matched.has(TARGET_PLATFORM)) return;
    if (text !== globalArgs.get(TARGET_PLATFORM)) return;
    report(`Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`);
  },
};
