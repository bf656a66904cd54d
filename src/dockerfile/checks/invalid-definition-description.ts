import type { Rule } from './rule.js';

export const invalidDefinitionDescription: Rule<'instruction'> = {
  name: 'InvalidDefinitionDescription',
  description:
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
  page: 'invalid-definition-description',
  experimental: true,
  moment: 'instruction',
  check(instruction, report) {
    const names =
      instruction.kind === 'from'
        ? [instruction.name].filter((name) => name !== '')
        : instruction.kind === 'arg'
          ? instruction.args.map(({ key }) => key)
          : [];
    const comment = instruction.comments.at(-1);
    if (names.length === 0 || comment === undefined || names.includes(comment.split(' ', 1)[0]!)) return;
    const shown = names.length > 1 ? '<arg_key>' : names[0]!;
    report(`Comment for ${instruction.kind.toUpperCase()} should follow the format: \`# ${shown} <description>\``);
  },
};
