import { BuildError } from '../base/errors.js';
import { parseCsv } from '../dockerfile/csv.js';
import { withSuggestion } from '../base/suggest.js';

/** The `key=value` pairs of one `-o`, read one by one. Every fault is a BuildError USAGE that shows the whole text. */
export class OutputOptions {
  readonly #text: string;
  readonly #given = new Map<string, string>();

  constructor(text: string) {
    this.#text = text;
    for (const field of this.#fields()) {
      const equals = field.indexOf('=');
      if (equals < 0) throw this.usage(`\`${field}\` is not \`key=value\``);
      this.#given.set(keyOf(field.slice(0, equals).trim()), field.slice(equals + 1));
    }
  }

  get keys(): readonly string[] {
    return [...this.#given.keys()];
  }

  get(key: string): string | undefined {
    return this.#given.get(key);
  }

  /** As Go's strconv.ParseBool; a key without a value is true. */
  boolean(key: string, fallback: boolean): boolean {
    const value = this.#given.get(key);
    if (value === undefined) return fallback;
    if (/^(1|t|true|)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw this.usage(`\`${key}\` must be \`true\` or \`false\`, not \`${value}\``);
  }

  whole(key: string, least: number, most: number, fallback: number): number {
    const value = this.#given.get(key);
    if (value === undefined) return fallback;
    if (/^\d{1,3}$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    throw this.usage(`\`${key}\` must be ${least} to ${most}, not \`${value}\``);
  }

  oneOf<T extends string>(key: string, values: readonly T[], fallback: T): T {
    const value = this.#given.get(key);
    if (value === undefined) return fallback;
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    const what = withSuggestion(`\`${key}\` cannot be \`${value}\``, value, values, false);
    throw this.usage(what, `it may be: ${values.join(', ')}`);
  }

  usage(what: string, hint?: string): BuildError {
    return new BuildError('USAGE', `invalid output \`${this.#text}\`: ${what}`, hint === undefined ? {} : { hint });
  }

  /** For what BuildKit has and Slipway has not. */
  unsupported(what: string, hint: string): BuildError {
    return new BuildError('UNSUPPORTED', `invalid output \`${this.#text}\`: ${what} is not supported`, { hint });
  }

  #fields(): readonly string[] {
    try {
      return parseCsv(this.#text);
    } catch (error) {
      throw this.usage((error as Error).message, 'a value with a comma is written `"key=a,b"`');
    }
  }
}

/** Names of options are read in any case; those of annotations are as they are. */
function keyOf(key: string): string {
  return /^annotation[-.[]/i.test(key) ? key : key.toLowerCase();
}
