import { Fault } from '../diagnostic.js';
import { expand } from '../expand/expand.js';
import type { ExpandOptions, Expansion, Variables } from '../expand/types.js';
import type { EscapeToken } from '../words.js';

/** Fills in variables in the ways that a Dockerfile needs. What throws, throws a Fault. */
export class Expander {
  readonly #escape: EscapeToken;

  constructor(escape: EscapeToken) {
    this.#escape = escape;
  }

  /** Value of a flag or an argument. */
  word(text: string, variables: Variables): string {
    return this.matches(text, variables).text;
  }

  /** As `word`, with the names that were found and those that were not. */
  matches(text: string, variables: Variables): Expansion {
    return sound(this.expansion(text, variables));
  }

  /** As `matches`, but never throws: the fault is in the result. */
  expansion(text: string, variables: Variables): Expansion {
    return expand(text, variables, { escape: this.#escape });
  }

  words(text: string, variables: Variables): readonly string[] {
    return this.matches(text, variables).words;
  }

  /** Content of a heredoc, never throws: quotes stay, and the escape token is the backslash whatever the file says. */
  bodyExpansion(text: string, variables: Variables): Expansion {
    return expand(text, variables, { escape: '\\', skipProcessQuotes: true });
  }

  /** The text of an instruction for the name of its step; as written when it cannot be expanded. */
  label(text: string, variables: Variables): string {
    return this.#shown(text, variables, {});
  }

  /** As `label`, with quotes and unknown variables as written, since those are the shell's. */
  runLabel(text: string, variables: Variables): string {
    return this.#shown(text, variables, { rawQuotes: true, skipUnsetEnv: true });
  }

  #shown(text: string, variables: Variables, options: ExpandOptions): string {
    const expansion = expand(text, variables, { ...options, escape: this.#escape });
    return expansion.error === undefined ? expansion.text : text;
  }
}

/** Throws the fault of an expansion. */
export function sound(expansion: Expansion): Expansion {
  if (expansion.error !== undefined) throw new Fault('expansion', expansion.error);
  return expansion;
}
