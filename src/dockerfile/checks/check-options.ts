import { BuildError } from '../../base/errors.js';
import { parseBool, quote, trim } from '../go-text.js';
import { DirectiveReader, findDirective } from '../directives.js';

/** Names of rules, or all of them. */
export type RuleSet = 'all' | ReadonlySet<string>;

/** What `check=` asks for. */
export interface CheckOptions {
  readonly skip: RuleSet;
  readonly experimental: RuleSet;
  /** A finding fails the build. */
  readonly error: boolean;
}

const NOTHING: CheckOptions = { skip: new Set(), experimental: new Set(), error: false };

/** Build-arg that stands in for the directive. */
export const CHECK_ARG = 'BUILDKIT_DOCKERFILE_CHECK';

/** The options of a file: those of the build-arg, else those of its `# check=`. Throws DOCKERFILE_INVALID, USAGE. */
export function checkOptionsFor(source: string, buildArgs: Readonly<Record<string, string>>): CheckOptions {
  const given = Object.hasOwn(buildArgs, CHECK_ARG) ? buildArgs[CHECK_ARG] : undefined;
  try {
    return parseCheckOptions(given ?? findDirective('check', source)?.value ?? '');
  } catch (error) {
    if (!(error instanceof CheckOptionError)) throw error;
    const what = given === undefined ? 'check options' : `build-arg:${CHECK_ARG}`;
    throw new BuildError(
      given === undefined ? 'DOCKERFILE_INVALID' : 'USAGE',
      `failed to parse ${what}: ${error.message}`,
      {
        hint: 'the options are `skip=RULE,…|all`, `experimental=RULE,…|all` and `error=true`, with `;` between them',
      },
    );
  }
}

class CheckOptionError extends Error {}

/** Three options at most are told apart: what follows a third `;` belongs to the third. Throws CheckOptionError. */
function parseCheckOptions(text: string): CheckOptions {
  const trimmed = trim(text);
  if (trimmed === '') return NOTHING;
  const [first = '', second, ...others] = trimmed.split(';');
  const parts = [first, ...(second === undefined ? [] : [second]), ...(others.length === 0 ? [] : [others.join(';')])];
  let { skip, experimental, error } = NOTHING;
  for (const part of parts) {
    const equals = part.indexOf('=');
    if (equals < 0) throw new CheckOptionError(`invalid check option ${quote(part)}`);
    const key = trim(part.slice(0, equals));
    const value = trim(part.slice(equals + 1));
    if (key === 'skip') skip = ruleSet(value, skip);
    else if (key === 'experimental') experimental = ruleSet(value, experimental);
    else if (key === 'error') error = bool(part, value);
    else throw new CheckOptionError(`invalid check option ${quote(key)}`);
  }
  return { skip, experimental, error };
}

function ruleSet(value: string, before: RuleSet): RuleSet {
  if (value === 'all' || before === 'all') return 'all';
  return new Set(value.split(',').map(trim));
}

function bool(part: string, value: string): boolean {
  const parsed = parseBool(value);
  if (parsed !== undefined) return parsed;
  throw new CheckOptionError(
    `failed to parse check option ${quote(part)}: strconv.ParseBool: parsing ${quote(value)}: invalid syntax`,
  );
}

/** `options` with what a `check=` among the comments above an instruction adds; one that is not sound adds nothing. */
export function withComments(options: CheckOptions, comments: readonly string[]): CheckOptions {
  for (const comment of comments) {
    if (!comment.toLowerCase().startsWith('check')) continue;
    const directive = new DirectiveReader('').read(comment);
    if (directive?.name !== 'check') continue;
    try {
      const added = parseCheckOptions(directive.value.split(' ', 1)[0]!);
      return {
        skip: union(options.skip, added.skip),
        experimental: union(options.experimental, added.experimental),
        error: options.error,
      };
    } catch (error) {
      if (error instanceof CheckOptionError) return options;
      throw error;
    }
  }
  return options;
}

function union(a: RuleSet, b: RuleSet): RuleSet {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}

export function hasRule(rules: RuleSet, name: string): boolean {
  return rules === 'all' || rules.has(name);
}
