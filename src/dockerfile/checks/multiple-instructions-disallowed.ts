import type { Rule } from './rule.js';

const ONCE: ReadonlySet<string> = new Set(['cmd', 'entrypoint', 'healthcheck']);

/** Found at the later instruction, told of the earlier one: that is the one without effect. */
export const multipleInstructionsDisallowed: Rule<'apply'> = {
  name: 'MultipleInstructionsDisallowed',
  description: 'Multiple instructions of the same type should not be used in the same stage',
  page: 'multiple-instructions-disallowed',
  moment: 'apply',
  check({ instruction, earlier }, report) {
    const { kind, keyword } = instruction;
    if (!ONCE.has(kind)) return;
    const previous = earlier.findLast((one) => one.kind === kind);
    if (previous === undefined) return;
    report(
      `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
      previous.range,
    );
  },
};
