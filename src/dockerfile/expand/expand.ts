import { BuildError } from '../../base/errors.js';
import { quote } from '../go-text.js';
import { ExpandError, ShellWord } from './shell-word.js';
import type { ExpandOptions, Expansion, Variables } from './types.js';

/**
 * Replaces `$name` and `${…}`, removes quotes and escapes. Never throws: the fault is in the result. Without
 * `variables` every one is unset, and none is reported as looked up.
 */
export function expand(source: string, variables: Variables | undefined, options: ExpandOptions = {}): Expansion {
  const word = new ShellWord(source, variables, options);
  const { matched, unmatched } = word;
  try {
    return { ...word.expand(), matched, unmatched };
  } catch (error) {
    if (!(error instanceof ExpandError)) throw error;
    return {
      text: '',
      words: [],
      matched,
      unmatched,
      error: `failed to process ${quote(source)}: ${error.message}`,
    };
  }
}

/** `expand` for callers that need the text only. Throws DOCKERFILE_INVALID. */
export function expandWord(source: string, variables: Variables, options: ExpandOptions = {}): string {
  return sound(expand(source, variables, options)).text;
}

/** As `expandWord`, split into words: `EXPOSE $PORTS` may name several. Throws DOCKERFILE_INVALID. */
export function expandWords(source: string, variables: Variables, options: ExpandOptions = {}): readonly string[] {
  return sound(expand(source, variables, options)).words;
}

function sound(expansion: Expansion): Expansion {
  if (expansion.error !== undefined) throw new BuildError('DOCKERFILE_INVALID', expansion.error);
  return expansion;
}
