import { quote } from '../go-text.js';
import type { Rule } from './rule.js';

export const duplicateStageName: Rule<'stages'> = {
  name: 'DuplicateStageName',
  description: 'Stage names should be unique',
  page: 'duplicate-stage-name',
  moment: 'stages',
  check(stages, report) {
    const seen = new Set<string>();
    for (const { from } of stages) {
      if (from.name === '') continue;
      if (seen.has(from.name)) {
        report(`Duplicate stage name ${quote(from.name)}, stage names should be unique`, from.range);
      }
      seen.add(from.name);
    }
  },
};
