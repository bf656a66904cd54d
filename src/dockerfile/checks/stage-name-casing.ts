import type { Rule } from './rule.js';

export const stageNameCasing: Rule<'instruction'> = {
  name: 'StageNameCasing',
  description: 'Stage names should be lowercase',
  page: 'stage-name-casing',
  moment: 'instruction',
  check(instruction, report) {
    if (instruction.kind !== 'from' || instruction.as === undefined) return;
    const { name } = instruction.as;
    if (name !== name.toLowerCase()) report(`Stage name '${name}' should be lowercase`);
  },
};
