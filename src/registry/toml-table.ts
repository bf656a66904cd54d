import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { BuildError } from '../base/errors.js';
import { suggestion } from '../base/suggest.js';

/** What a TOML file must look like, and how that is told. */
export interface TableForm<S extends v.GenericSchema> {
  readonly schema: S;
  /** The keys that there are where an unknown one was found, by the path to it. */
  readonly keysAt: (path: readonly string[]) => readonly string[];
  /** Whose form it is: "the `registry` tables of buildkitd.toml". */
  readonly likeness: string;
}

/** Reads a TOML file. Throws CONFIG_INVALID with file and line for what it cannot mean. */
export function parseTable<S extends v.GenericSchema>(
  text: string,
  file: string,
  form: TableForm<S>,
): v.InferOutput<S> {
  const found = v.safeParse(form.schema, parseToml(text, file, form.likeness));
  if (found.success) return found.output;
  throw schemaFault(found.issues.find(isUnknownKey) ?? found.issues[0], text, file, form);
}

function parseToml(text: string, file: string, likeness: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new BuildError('CONFIG_INVALID', `${file}:${error.line}: ${what}`, {
      hint: `the file is TOML, in the form of ${likeness}`,
    });
  }
}

function isUnknownKey({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' && expected === 'never';
}

function schemaFault(
  issue: v.BaseIssue<unknown>,
  text: string,
  file: string,
  { keysAt, likeness }: TableForm<v.GenericSchema>,
): BuildError {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const last = keys.at(-1) ?? '';
  const where = `${file}:${lineOf(text, keys)}`;
  if (isUnknownKey(issue)) {
    const known = keysAt(keys);
    const near = suggestion(last, known, false);
    return new BuildError('CONFIG_INVALID', `${where}: unknown key \`${last}\``, {
      hint: near === undefined ? `the keys are: ${known.join(', ')}` : `did you mean \`${near}\`?`,
    });
  }
  return new BuildError('CONFIG_INVALID', `${where}: \`${keys.join('.')}\`: ${issue.message}`, {
    hint: `the file has the form of ${likeness}`,
  });
}

/** The line, from 1, on which the innermost of these keys is written that can be found, each after the one it is in. */
function lineOf(text: string, keys: readonly string[]): number {
  let at = 0;
  for (const key of keys) {
    if (/^\d+$/.test(key)) continue;
    const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const found = new RegExp(`(?<![\\w-])["']?${escaped}["']?(?=\\s*[\\].=])`).exec(text.slice(at));
    if (!found) break;
    at += found.index;
  }
  return text.slice(0, at).split('\n').length;
}
