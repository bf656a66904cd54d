import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../src/base/errors.js';
import { parseDockerfile } from '../../src/dockerfile/parse.js';
import { convertDockerfile } from '../../src/dockerfile/to-llb/convert.js';
import type { BaseImages, ConvertOptions, NamedContext, ResolvedBase } from '../../src/dockerfile/to-llb/options.js';
import { parseDigest } from '../../src/oci/digest.js';
import type { ImageConfig } from '../../src/oci/image-config.js';
import { parsePlatform } from '../../src/oci/platform.js';
import { familiarReference, parseReference } from '../../src/oci/reference.js';
import { difference, type Report } from './report.js';

interface Case {
  readonly name: string;
  readonly options: {
    readonly filename?: string;
    readonly target?: string;
    readonly platform?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
    readonly hostname?: string;
    readonly contexts?: Readonly<Record<string, { readonly dir?: string; readonly image?: string }>>;
    readonly noEpoch?: boolean;
  };
  readonly prepare: readonly { readonly op: string; readonly path: string; readonly target?: string }[];
  readonly expect: { readonly golden?: string; readonly error?: string };
}

interface Golden {
  readonly config: ImageConfig;
}

export interface ConfigReport extends Report {
  /** Cases that this version refuses to execute, by what it says. */
  readonly unsupported: readonly { readonly id: string; readonly detail: string }[];
  /** Cases that have to fail, but only when their graph is executed or their lint rules are looked at. */
  readonly later: readonly string[];
}

const EPOCH = 1445412480;
const AMD64 = { os: 'linux', architecture: 'amd64' };

/** Converts every case and compares config and history with what BuildKit made, or the error with BuildKit's. */
export async function run(conformanceDir: string): Promise<ConfigReport> {
  const bases = new TarImages(path.join(conformanceDir, 'images'));
  const failures: { id: string; detail: string }[] = [];
  const unsupported: { id: string; detail: string }[] = [];
  const names = readdirSync(path.join(conformanceDir, 'build'));
  const later: string[] = [];
  let total = 0;
  for (const name of names) {
    const dir = path.join(conformanceDir, 'build', name);
    const one = JSON.parse(readFileSync(path.join(dir, 'case.json'), 'utf8')) as Case;
    const outcome = await convertCase(dir, one, bases);
    if (outcome instanceof BuildError && outcome.code === 'UNSUPPORTED') {
      unsupported.push({ id: name, detail: outcome.message });
      continue;
    }
    const detail = judge(dir, one, outcome);
    if (detail === 'later') {
      later.push(name);
      continue;
    }
    total++;
    if (detail !== undefined) failures.push({ id: name, detail });
  }
  return { name: 'config', total, failures, unsupported, later };
}

/** In place of the server of a case: nothing is fetched here. */
const NOWHERE = 'http://localhost:1';

async function convertCase(dir: string, one: Case, bases: TarImages): Promise<ImageConfig | Error> {
  const { options } = one;
  const named = path.join(dir, options.filename ?? 'Dockerfile');
  const link = one.prepare.find((step) => step.op === 'symlink' && path.join(dir, step.path) === named);
  const file = link ? path.join(path.dirname(named), link.target!) : named;
  if (!existsSync(file)) return new Error('no Dockerfile');
  const contexts = new Map<string, NamedContext>();
  for (const [name, { dir: local, image }] of Object.entries(options.contexts ?? {})) {
    if (local !== undefined) contexts.set(name, { kind: 'local' });
    else contexts.set(name, { kind: image === 'scratch' ? 'scratch' : 'image' });
  }
  const images = new Map(
    Object.entries(options.contexts ?? {}).flatMap(([name, { image }]) => (image === undefined ? [] : [[name, image]])),
  );
  const convertOptions: ConvertOptions = {
    ...(options.target !== undefined && { target: options.target }),
    buildArgs: { ...(!options.noEpoch && { SOURCE_DATE_EPOCH: String(EPOCH) }), ...options.buildArgs },
    ...(options.labels && { labels: options.labels }),
    ...(options.hostname !== undefined && { hostname: options.hostname }),
    platform: options.platform === undefined ? AMD64 : parsePlatform(options.platform),
    buildPlatform: AMD64,
    contexts,
  };
  try {
    const dockerfile = parseDockerfile(readFileSync(file, 'utf8').replaceAll('{{HTTP}}', NOWHERE));
    const { signal } = new AbortController();
    const converted = await convertDockerfile(dockerfile, convertOptions, bases.named(images), { signal });
    return converted.config;
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw new Error(`case ${one.name}`, { cause: error });
  }
}

function judge(dir: string, one: Case, outcome: ImageConfig | Error): string | undefined {
  const { golden, error } = one.expect;
  if (error !== undefined) {
    if (!(outcome instanceof Error)) return 'later';
    const plain = (text: string): string => text.replace(/ \(did you mean \S+\?\)/, '');
    return outcome.message === 'no Dockerfile' || plain(outcome.message).includes(plain(error))
      ? undefined
      : `error: got ${outcome.message}, want ${error}`;
  }
  if (outcome instanceof Error) return `failed: ${outcome.message}`;
  const want = (JSON.parse(readFileSync(path.join(dir, golden!), 'utf8')) as Golden).config;
  const head = ({ architecture, os, variant, author }: ImageConfig): unknown => ({ architecture, os, variant, author });
  return (
    difference('head', head(outcome), head(want)) ??
    difference('config', outcome.config, want.config ?? {}) ??
    difference('history', outcome.history?.map(entryOf), want.history?.filter(ofFrontend).map(entryOf))
  );
}

/** The exporter adds entries for layers that no instruction made. */
function ofFrontend(entry: NonNullable<ImageConfig['history']>[number]): boolean {
  return entry.comment !== 'buildkit.exporter.image.v0';
}

function entryOf(entry: NonNullable<ImageConfig['history']>[number]): unknown {
  const { created_by, empty_layer, comment } = entry;
  return { created_by: created_by?.replaceAll(NOWHERE, '{{HTTP}}'), empty_layer, comment };
}

/** The images of the tars, found by name; their layers are never looked at. */
export class TarImages {
  readonly #images = new Map<string, ResolvedBase>();

  constructor(dir: string) {
    for (const tar of ['busybox.oci.tar', 'bases.oci.tar']) {
      const file = path.join(dir, tar);
      const read = (digest: string): unknown => json(file, `blobs/${digest.replace(':', '/')}`);
      const index = json(file, 'index.json') as Index;
      for (const { digest, annotations } of index.manifests) {
        const { config } = read(digest) as { readonly config: { readonly digest: string } };
        const tag = annotations['org.opencontainers.image.ref.name']!;
        const image = { source: `docker-image://x@${digest}`, digest: parseDigest(digest) };
        const base = { ...image, config: read(config.digest) as ImageConfig };
        if (tar === 'bases.oci.tar') this.#images.set(tag, base);
        else for (const name of ['busybox', 'busybox:stable-musl', 'alpine']) this.#images.set(name, base);
      }
    }
  }

  /** The images, with those of named contexts under the names of these. */
  named(contexts: ReadonlyMap<string, string>): BaseImages {
    return {
      resolve: async (name) => {
        const familiar = familiarReference(parseReference(contexts.get(name) ?? name)).replace(/:latest$/, '');
        return this.#images.get(familiar);
      },
    };
  }
}

interface Index {
  readonly manifests: readonly { readonly digest: string; readonly annotations: Readonly<Record<string, string>> }[];
}

function json(tar: string, entry: string): unknown {
  return JSON.parse(execFileSync('tar', ['-xOf', tar, entry], { encoding: 'utf8' }));
}
