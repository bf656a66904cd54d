import { quote } from '../go-text.js';
import type { Rule } from './rule.js';

const RESERVED: ReadonlySet<string> = new Set(['context', 'scratch']);

export const reservedStageName: Rule<'stages'> = {
  name: 'ReservedStageName',
  description: 'Reserved words should not be used as stage names',
  page: 'reserved-stage-name',
  moment: 'stages',
  check(stages, report) {
    for (const { from } of stages) {
      if (!RESERVED.has(from.name)) continue;
      report(`Stage name should not use the same name as reserved stage ${quote(from.name)}`, from.range);
    }
  },
};
