import { flatArgs, type Node } from '../ast.js';

/** The command of RUN, CMD, ENTRYPOINT or HEALTHCHECK. */
export interface CommandLine {
  /** JSON form: the words. Shell form: one text, or nothing. */
  readonly args: readonly string[];
  /** `shell`: the image's SHELL goes in front. */
  readonly form: 'shell' | 'exec';
}

export function parseCommandLine(node: Node, args: readonly string[] = flatArgs(node)): CommandLine {
  if (node.json) return { args, form: 'exec' };
  return { args: args.length === 0 ? [] : [args.join(' ')], form: 'shell' };
}
