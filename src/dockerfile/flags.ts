import { Fault } from './diagnostic.js';
import { withSuggestion } from '../base/suggest.js';

export type FlagKind = 'bool' | 'string' | 'strings';

/** What an instruction's flags were given; a flag that was not given is absent. */
export type FlagValues<S extends Readonly<Record<string, FlagKind>>> = {
  readonly [K in keyof S]?: S[K] extends 'bool' ? boolean : S[K] extends 'string' ? string : readonly string[];
};

/** Reads `--name`, `--name=value` words against what the instruction knows. Throws a Fault. */
export function parseFlags<S extends Readonly<Record<string, FlagKind>>>(
  words: readonly string[],
  known: S,
): FlagValues<S> {
  const values: Record<string, boolean | string | string[]> = {};
  for (const word of words) {
    if (word === '--') break;
    if (!word.startsWith('--')) throw new Fault('flag', `arg should start with -- : ${word}`);
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    const name = flag.slice(2);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) {
      throw new Fault(
        'flag',
        withSuggestion(`unknown flag: ${flag}`, name, Object.keys(known), true),
        knownFlags(known),
      );
    }
    if (kind !== 'strings' && Object.hasOwn(values, name)) {
      throw new Fault('flag', `duplicate flag specified: ${flag}`);
    }
    if (kind === 'bool') {
      values[name] = parseBoolFlag(flag, value);
    } else {
      if (value === undefined) throw new Fault('flag', `missing a value on flag: ${flag}`, `write it as ${flag}=value`);
      if (kind === 'string') values[name] = value;
      else values[name] = [...((values[name] as string[] | undefined) ?? []), value];
    }
  }
  return values as FlagValues<S>;
}

function parseBoolFlag(flag: string, value: string | undefined): boolean {
  if (value === '') throw new Fault('flag', `missing a value on flag: ${flag}`);
  switch (value?.toLowerCase()) {
    case undefined:
    case 'true':
      return true;
    case 'false':
      return false;
    default:
      throw new Fault('flag', `expecting boolean value for flag ${flag}, not: ${value}`);
  }
}

function knownFlags(known: Readonly<Record<string, FlagKind>>): string {
  const names = Object.keys(known);
  return names.length === 0 ? 'this instruction has no flags' : `the flags are: --${names.join(', --')}`;
}
