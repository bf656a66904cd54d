import type { Rule } from './rule.js';

/** Who sets a SHELL has thought about it. */
export const jsonArgsRecommended: Rule<'apply'> = {
  name: 'JSONArgsRecommended',
  description: 'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  page: 'json-args-recommended',
  moment: 'apply',
  check({ instruction, shell }, report) {
    if (instruction.kind !== 'cmd' && instruction.kind !== 'entrypoint') return;
    if (instruction.command.form !== 'shell' || shell) return;
    const { keyword } = instruction;
    report(`JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`);
  },
};
