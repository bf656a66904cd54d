import path from 'node:path';
import { isKanikoFlag } from './parse-flags.js';

/** Flags that stand before a verb of Slipway's. */
const OWN: ReadonlySet<string> = new Set(['-v', '--version', '-h', '--help']);

/**
 * The words of a command line, with the verb `kaniko` before what is kaniko's: when the program is called `executor`, and
 * when the line begins with a flag that only kaniko has, as in a pod whose `args` are for kaniko's image.
 */
export function withVerb(program: string, words: readonly string[]): readonly string[] {
  const isExecutor = path.basename(program) === 'executor';
  const [first = ''] = words;
  const isKaniko = isExecutor || (first.startsWith('-') && !OWN.has(first) && isKanikoFlag(first));
  return isKaniko ? ['kaniko', ...words] : words;
}
