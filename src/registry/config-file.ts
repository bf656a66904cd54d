import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { BuildError } from '../base/errors.js';
import { suggestion } from '../base/suggest.js';
import type { HostSettings, KeyPair } from './config.js';
import { registryName } from './hosts.js';

const filePath = v.pipe(v.string(), v.nonEmpty('must not be empty'));
const mirror = v.pipe(
  v.string(),
  v.regex(
    /^(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::\d+)?(?:\/[A-Za-z0-9._/-]+)?$/,
    'must be `host[:port][/path]`, without a scheme',
  ),
);
const keypair = v.strictObject({ key: filePath, cert: filePath });
const registry = v.strictObject({
  mirrors: v.optional(v.array(mirror), []),
  http: v.optional(v.boolean()),
  insecure: v.optional(v.boolean(), false),
  ca: v.optional(v.array(filePath), []),
  keypair: v.optional(v.array(keypair), []),
  tlsconfigdir: v.optional(v.array(filePath), []),
});
const config = v.strictObject({ registry: v.optional(v.record(v.string(), registry), {}) });

const KEYS: readonly (readonly string[])[] = [
  Object.keys(config.entries),
  Object.keys(registry.entries),
  Object.keys(keypair.entries),
];

/** The settings by registry. The format is that of buildkitd.toml's `registry` tables. Throws CONFIG_INVALID. */
export async function parseConfig(text: string, file: string): Promise<ReadonlyMap<string, HostSettings>> {
  const found = v.safeParse(config, parseToml(text, file));
  if (!found.success) throw schemaFault(found.issues.find(isUnknownKey) ?? found.issues[0], text, file);
  const folder = path.dirname(file);
  const hosts = new Map<string, HostSettings>();
  for (const [name, table] of Object.entries(found.output.registry)) {
    const absolute = (one: string): string => path.resolve(folder, one);
    const folders = await Promise.all(table.tlsconfigdir.map((dir) => certificatesIn(absolute(dir), file)));
    hosts.set(registryName(name), {
      mirrors: table.mirrors,
      onlyMirrors: false,
      http: table.http,
      insecure: table.insecure,
      ca: [...table.ca.map(absolute), ...folders.flatMap(({ ca }) => ca)],
      keypairs: [
        ...table.keypair.map(({ key, cert }) => ({ key: absolute(key), cert: absolute(cert) })),
        ...folders.flatMap(({ keypairs }) => keypairs),
      ],
    });
  }
  return hosts;
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new BuildError('CONFIG_INVALID', `${file}:${error.line}: ${what}`, {
      hint: 'the file is TOML, in the form of the `registry` tables of buildkitd.toml',
    });
  }
}

/** A folder as Docker has it for each host: `*.crt` are CAs, `*.cert` and `*.key` a client's certificate. */
async function certificatesIn(dir: string, file: string): Promise<Pick<HostSettings, 'ca' | 'keypairs'>> {
  let names: string[];
  try {
    names = (await readdir(dir)).toSorted();
  } catch (error) {
    throw new BuildError('CONFIG_INVALID', `${file}: cannot read the folder \`${dir}\` of \`tlsconfigdir\``, {
      cause: error,
    });
  }
  const ending = (end: string): string[] =>
    names.filter((name) => name.endsWith(end)).map((one) => path.join(dir, one));
  const pair = (cert: string): KeyPair => ({ cert, key: cert.replace(/\.cert$/, '.key') });
  return { ca: ending('.crt'), keypairs: ending('.cert').map(pair) };
}

function isUnknownKey({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' && expected === 'never';
}

function schemaFault(issue: v.BaseIssue<unknown>, text: string, file: string): BuildError {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const last = keys.at(-1) ?? '';
  const where = `${file}:${lineOf(text, keys)}`;
  if (isUnknownKey(issue)) {
    const known = KEYS[keys.length === 1 ? 0 : keys.length === 3 ? 1 : 2]!;
    const near = suggestion(last, known, false);
    return new BuildError('CONFIG_INVALID', `${where}: unknown key \`${last}\``, {
      hint: near === undefined ? `the keys are: ${known.join(', ')}` : `did you mean \`${near}\`?`,
    });
  }
  return new BuildError('CONFIG_INVALID', `${where}: \`${keys.join('.')}\`: ${issue.message}`, {
    hint: 'the file has the form of the `registry` tables of buildkitd.toml',
  });
}

/** The line, from 1, on which the innermost of these keys is written that can be found, each after the one it is in. */
function lineOf(text: string, keys: readonly string[]): number {
  let at = 0;
  for (const key of keys) {
    if (/^\d+$/.test(key)) continue;
    const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const found = new RegExp(`(?<![\\w.-])["']?${escaped}["']?(?=\\s*[\\].=])`).exec(text.slice(at));
    if (!found) break;
    at += found.index;
  }
  return text.slice(0, at).split('\n').length;
}
