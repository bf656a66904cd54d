import type { Rule } from './rule.js';

/** A FROM of mixed case is left to ConsistentInstructionCasing. */
export const fromAsCasing: Rule<'instruction'> = {
  name: 'FromAsCasing',
  description: "The 'as' keyword should match the case of the 'from' keyword",
  page: 'from-as-casing',
  moment: 'instruction',
  check(instruction, report) {
    if (instruction.kind !== 'from' || instruction.as === undefined) return;
    const from = instruction.keyword;
    const as = instruction.as.keyword;
    const lower = from === from.toLowerCase();
    if (!lower && from !== from.toUpperCase()) return;
    if (as !== (lower ? as.toLowerCase() : as.toUpperCase())) {
      report(`'${as}' and '${from}' keywords' casing do not match`);
    }
  },
};
