import type { Rule } from './rule.js';

/** Only keywords that are all lower or all upper case have a vote. */
export const consistentInstructionCasing: Rule<'stages'> = {
  name: 'ConsistentInstructionCasing',
  description: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  page: 'consistent-instruction-casing',
  moment: 'stages',
  check(stages, report) {
    const all = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
    const lower = all.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
    const upper = all.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
    const majorityLower = lower > upper;
    for (const { keyword, range } of all) {
      if (keyword === (majorityLower ? keyword.toLowerCase() : keyword.toUpperCase())) continue;
      const casing = majorityLower ? 'lowercase' : 'uppercase';
      report(`Command '${keyword}' should match the case of the command majority (${casing})`, range);
    }
  },
};
