import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { build, parseOutput, type BuildOptions } from '../../src/build/index.js';
import type { Descriptor } from '../../src/oci/descriptor.js';
import type { ImageConfig } from '../../src/oci/image-config.js';
import { compareEntries, differ, entryShapes, historyShape, readBuiltImage, type EntryShape } from './compare.js';
import { HttpCases } from './http-cases.js';
import { EPOCH, prepareCase, type GoldenEntry, type PreparedCase } from './prepare-case.js';
import type { Report } from './report.js';
import { removeTempDir } from '../support/temp-dir.js';
import { stageNames } from './stage-names.js';

export interface BuildRunOptions {
  /** Names of cases. */
  readonly cases: readonly string[];
  /** As `--isolation` has it. */
  readonly isolation?: string;
}

const AT_ONCE = 3;
/** By the names that the images of the conformance data answer to. */
const IMAGES: Readonly<Record<string, readonly [archive: string, tag: string]>> = {
  busybox: ['busybox', 'latest'],
  'busybox:stable-musl': ['busybox', 'latest'],
  alpine: ['busybox', 'latest'],
  fullconfig: ['bases', 'fullconfig'],
  onbuildbase: ['bases', 'onbuildbase'],
  nopath: ['bases', 'nopath'],
};

/** Builds cases in one store, and compares config, history, entries and diffIDs with BuildKit's; one report a group. */
export async function run(conformanceDir: string, { cases, isolation }: BuildRunOptions): Promise<readonly Report[]> {
  const work = mkdtempSync(path.join(os.tmpdir(), 'slipway-conformance-'));
  using http = await HttpCases.start();
  try {
    for (const archive of ['busybox', 'bases']) {
      mkdirSync(path.join(work, archive));
      const file = path.join(conformanceDir, 'images', `${archive}.oci.tar`);
      spawnSync('tar', ['-xf', file, '-C', path.join(work, archive)], { stdio: 'inherit' });
    }
    const queue = [...cases];
    const groups = new Map<string, { total: number; failures: { id: string; detail: string }[] }>();
    const next = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        using prepared = prepareCase(conformanceDir, name, path.join(work, name));
        const detail = await checkCase(prepared, { work, isolation }, http);
        const group = groups.get(name.split('-')[0]!) ?? { total: 0, failures: [] };
        groups.set(name.split('-')[0]!, group);
        group.total++;
        if (detail !== undefined) group.failures.push({ id: name, detail });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    return [...groups].sort().map(([name, group]) => ({ name: `build/${name}`, ...group }));
  } finally {
    removeTempDir(work);
  }
}

interface Place {
  /** Holds the bases and the store. */
  readonly work: string;
  readonly isolation: string | undefined;
}

/** What differs first, or undefined. */
async function checkCase(
  { file, dir, contextDir, golden }: PreparedCase,
  place: Place,
  http: HttpCases,
): Promise<string | undefined> {
  if (file.http) {
    http.add(file.name, file.http, dir);
    const dockerfile = path.join(dir, file.options.filename ?? 'Dockerfile');
    writeFileSync(dockerfile, http.fill(file.name, readFileSync(dockerfile, 'utf8')));
  }
  const layout = path.join(dir, 'result');
  const options = buildOptions({ file, dir, contextDir }, place, layout);
  if ('unsupported' in options) return options.unsupported;
  let failure: unknown;
  try {
    await build(options);
  } catch (error) {
    failure = error;
  }
  if (!golden) {
    const wanted = (file.expect as { error: string }).error;
    if (failure === undefined) return `built, but must fail with: ${wanted}`;
    const said = http.unfill(file.name, messages(failure));
    return said.includes(wanted) ? undefined : `error: got ${JSON.stringify(said)}, want ${JSON.stringify(wanted)}`;
  }
  if (failure !== undefined) return `failed: ${messages(failure)}`;
  return await compare(layout, golden, (text) => http.unfill(file.name, text));
}

function messages(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messages(error.cause)}`;
}

function buildOptions(
  { file, dir, contextDir }: Pick<PreparedCase, 'file' | 'dir' | 'contextDir'>,
  { work, isolation }: Place,
  layout: string,
): BuildOptions | { readonly unsupported: string } {
  const { options } = file;
  const buildContexts: Record<string, string> = {};
  const stages = stageNames(path.join(dir, options.filename ?? 'Dockerfile'));
  for (const [name, [archive, tag]] of Object.entries(IMAGES)) {
    if (stages.has(name)) continue; // a named context would stand in for the stage too
    buildContexts[name] = `oci-layout://${path.join(work, archive)}:${tag}`;
  }
  for (const [name, context] of Object.entries(options.contexts ?? {})) {
    if ('dir' in context) buildContexts[name] = path.join(dir, context.dir);
    else if ('image' in context)
      buildContexts[name] = buildContexts[context.image] ?? `docker-image://${context.image}`;
    else buildContexts[name] = context.raw;
  }
  return {
    context: contextDir,
    file: path.join(dir, options.filename ?? 'Dockerfile'),
    root: path.join(work, 'store'),
    buildContexts,
    buildArgs: {
      BUILDKIT_CACHE_MOUNT_NS: path.basename(dir),
      ...(options.noEpoch ? {} : { SOURCE_DATE_EPOCH: String(EPOCH) }),
      ...options.buildArgs,
    },
    labels: options.labels ?? {},
    ...(isolation !== undefined && { isolation }),
    offline: true, // a name that nobody has must not make registries of the world be asked
    noCache: true, // as the goldens were made; a cached COPY may have the times of another case
    ...(options.target !== undefined && { target: options.target }),
    platform: options.platform ?? 'linux/amd64',
    ...(options.hostname !== undefined && { hostname: options.hostname }),
    ...(options.allow !== undefined && { allow: options.allow }),
    ...(options['shm-size'] !== undefined && { shmSize: Number(options['shm-size']) }),
    ...(options.ulimit !== undefined && { ulimits: [ulimit(options.ulimit)] }),
    secrets: Object.fromEntries(
      Object.entries(options.secrets ?? {}).map(([id, secret]) => [
        id,
        'file' in secret ? { kind: 'file', path: path.join(dir, secret.file) } : { kind: 'value', value: secret.value },
      ]),
    ),
    ...(options.network !== undefined && { network: options.network as 'host' | 'none' }),
    outputs: [parseOutput(`type=oci,dest=${layout},tar=false,compression=uncompressed,rewrite-timestamp=true`)],
    signal: AbortSignal.timeout(120_000),
  };
}

/** `nofile=1062:1062`. */
function ulimit(text: string): NonNullable<BuildOptions['ulimits']>[number] {
  const [name = '', values = ''] = text.split('=');
  const [soft = 0, hard = soft] = values.split(':').map(Number);
  return { name, soft, hard };
}

async function compare(
  layout: string,
  golden: NonNullable<PreparedCase['golden']>,
  unfill: (text: string) => string,
): Promise<string | undefined> {
  const { manifest, configText, readLayer } = readBuiltImage(layout);
  const config = JSON.parse(unfill(configText)) as ImageConfig;
  const { config: want } = golden;
  for (const key of ['architecture', 'os', 'variant', 'author', 'config'] as const) {
    if (!isDeepStrictEqual(config[key], want[key])) return differ(key, config[key], want[key]);
  }
  if (want.created !== undefined && config.created !== want.created)
    return differ('created', config.created, want.created);
  const history = historyShape(config.history ?? []);
  const wantHistory = historyShape(want.history);
  if (!isDeepStrictEqual(history, wantHistory)) return differ('history', history, wantHistory);
  const own = manifest.layers.slice(golden.baseLayers);
  if (own.length !== golden.layers.length) return differ('layers', own.length, golden.layers.length);
  for (const [i, layer] of own.entries()) {
    if (layer.digest === golden.layers[i]) continue;
    const detail = await compareLayer(readLayer(layer), layer, i, golden);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

async function compareLayer(
  tar: Buffer,
  layer: Descriptor,
  i: number,
  golden: NonNullable<PreparedCase['golden']>,
): Promise<string | undefined> {
  const wanted = golden.layerEntries[i] ?? [];
  const stable = wanted.filter((one) => !one.unstable);
  const unstable = new Set(wanted.filter((one) => one.unstable).map(pathOf));
  const got = (await entryShapes(tar)).filter((one) => !unstable.has(one.path));
  const detail = compareEntries(`layer ${i}`, got, stable.map(shapeOfGolden));
  if (detail !== undefined) return detail;
  if (golden.unstableLayers?.includes(i) || golden.layers[i] === null) return undefined;
  return differ(`layer ${i} diffID, though the entries are equal`, layer.digest, golden.layers[i]);
}

function pathOf(entry: GoldenEntry): string {
  return (entry.pathBase64 === undefined ? Buffer.from(entry.path) : Buffer.from(entry.pathBase64, 'base64')).toString(
    'latin1',
  );
}

const TYPES: Readonly<Record<string, string>> = { link: 'hardlink', reg: 'file', directory: 'dir' };

function shapeOfGolden(entry: GoldenEntry): EntryShape {
  return {
    path: pathOf(entry),
    type: TYPES[entry.type] ?? entry.type,
    mode: Number.parseInt(entry.mode, 8),
    uid: entry.uid,
    gid: entry.gid,
    size: entry.size,
    mtime: entry.mtime,
    linkname: entry.linkname === undefined ? '' : Buffer.from(entry.linkname).toString('latin1'),
    sha256: entry.size === 0 ? '' : (entry.sha256 ?? ''),
    xattrs: Object.entries(entry.xattrs ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(),
  };
}
