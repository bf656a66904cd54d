import { readdir } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { BuildError } from '../base/errors.js';
import type { HostSettings, KeyPair } from './config.js';
import { registryName } from './hosts.js';
import { parseTable } from './toml-table.js';

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
const config = v.strictObject({
  registry: v.optional(v.record(v.string(), registry), {}),
  /** Read by whoever keeps the store small (`src/build/gc-rules.ts`). */
  worker: v.optional(v.unknown()),
});

const KEYS: readonly (readonly string[])[] = [
  Object.keys(config.entries),
  Object.keys(registry.entries),
  Object.keys(keypair.entries),
];

/** The settings by registry. The format is that of buildkitd.toml's `registry` tables. Throws CONFIG_INVALID. */
export async function parseConfig(text: string, file: string): Promise<ReadonlyMap<string, HostSettings>> {
  const found = parseTable(text, file, {
    schema: config,
    keysAt: ({ length }) => KEYS[length === 1 ? 0 : length === 3 ? 1 : 2]!,
    likeness: 'the `registry` tables of buildkitd.toml',
  });
  const folder = path.dirname(file);
  const hosts = new Map<string, HostSettings>();
  for (const [name, table] of Object.entries(found.registry)) {
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
