import { BuildError } from '../../base/errors.js';
import { suggestion } from '../../base/suggest.js';
import { parseBool } from '../../dockerfile/go-text.js';
import { KANIKO_FLAGS, type FlagName, type KanikoFlag } from './flags.js';

const FLAGS: readonly (KanikoFlag & { readonly name: FlagName })[] = KANIKO_FLAGS;

/** The flags of one command line, with their values. */
export class GivenFlags {
  readonly #values: ReadonlyMap<FlagName, readonly string[]>;

  constructor(values: ReadonlyMap<FlagName, readonly string[]>) {
    this.#values = values;
  }

  get names(): readonly FlagName[] {
    return [...this.#values.keys()];
  }

  list(name: FlagName): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The last one counts; an empty one is as none, as with kaniko. */
  text(name: FlagName): string | undefined {
    return this.list(name).at(-1) || undefined;
  }

  /** Undefined when it was not given. */
  boolean(name: FlagName): boolean | undefined {
    const value = this.list(name).at(-1);
    return value === undefined ? undefined : parseBool(value);
  }
}

/**
 * Reads a command line as pflag does, which kaniko has: `--name=value`, `--name value`, `-nvalue`; a boolean takes a value
 * only after `=`. Throws USAGE for what is no flag of kaniko's, and UNSUPPORTED for those that are refused.
 */
export function parseFlags(words: readonly string[]): GivenFlags {
  const values = new Map<FlagName, string[]>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const { flag, attached } = readFlag(word);
    const value = attached ?? (flag.takes === 'boolean' ? 'true' : words[++at]);
    if (value === undefined) throw usage(`\`${word}\` needs a value`);
    if (flag.takes === 'boolean' && parseBool(value) === undefined) {
      throw usage(`\`--${flag.name}\` must be \`true\` or \`false\`, not \`${value}\``);
    }
    if (flag.effect === 'refused' && value !== '' && value !== 'false') {
      throw new BuildError('UNSUPPORTED', `\`--${flag.name}\` is not supported`, { hint: flag.meaning });
    }
    values.set(flag.name, [...(values.get(flag.name) ?? []), value]);
  }
  return new GivenFlags(values);
}

/** Whether a word is a flag of kaniko's, with or without a value. */
export function isKanikoFlag(word: string): boolean {
  return findFlag(word) !== undefined;
}

interface FoundFlag {
  readonly flag: (typeof FLAGS)[number];
  /** In the same word. */
  readonly attached: string | undefined;
}

function readFlag(word: string): FoundFlag {
  const found = findFlag(word);
  if (found) return found;
  if (!word.startsWith('-')) throw usage(`\`${word}\` is no flag, and nothing else is taken`);
  const name = /^--?([^=]*)/.exec(word)![1]!;
  const spellings = FLAGS.flatMap((flag) => [flag.name, ...(flag.old ?? [])]);
  const near = suggestion(name, spellings, true);
  throw usage(`unknown flag \`--${name}\``, near === undefined ? undefined : `did you mean \`--${near}\`?`);
}

function findFlag(word: string): FoundFlag | undefined {
  const [, name, attached] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (name !== undefined) {
    const flag = FLAGS.find((one) => one.name === name || one.old?.includes(name));
    return flag && { flag, attached };
  }
  const [, letter, afterEquals, after = afterEquals] = /^-([a-z])(?:=(.*)|(.+))?$/s.exec(word) ?? [];
  const flag = letter === undefined ? undefined : FLAGS.find(({ short }) => short === letter);
  return flag && { flag, attached: after };
}

function usage(message: string, hint = 'see `executor --help`'): BuildError {
  return new BuildError('USAGE', message, { hint });
}
