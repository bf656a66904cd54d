import type { Rule } from './rule.js';

export const maintainerDeprecated: Rule<'instruction'> = {
  name: 'MaintainerDeprecated',
  description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  page: 'maintainer-deprecated',
  moment: 'instruction',
  check({ kind }, report) {
    if (kind === 'maintainer') report('Maintainer instruction is deprecated in favor of using label');
  },
};
