import type { Rule } from './rule.js';

export const noEmptyContinuation: Rule<'emptyContinuation'> = {
  name: 'NoEmptyContinuation',
  description: 'Empty continuation lines will become errors in a future release',
  page: 'no-empty-continuation',
  moment: 'emptyContinuation',
  check(_, report) {
    report('Empty continuation line');
  },
};
