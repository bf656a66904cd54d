import type { Rule } from './rule.js';

export const legacyKeyValueFormat: Rule<'apply'> = {
  name: 'LegacyKeyValueFormat',
  description: 'Legacy key/value format with whitespace separator should not be used',
  page: 'legacy-key-value-format',
  moment: 'apply',
  check({ instruction }, report) {
    if (instruction.kind !== 'env' && instruction.kind !== 'label') return;
    const { keyword, pairs } = instruction;
    for (const { legacy } of pairs) {
      if (legacy) report(`"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`);
    }
  },
};
