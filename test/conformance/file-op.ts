import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { toText } from '../../src/base/bytes.js';
import { parseIgnoreFile } from '../../src/dockerfile/ignore/ignore-file.js';
import { decompress } from '../../src/layer/compression.js';
import { LayerPacker, type PackItem } from '../../src/layer/pack.js';
import type { RefView } from '../../src/layer/ref-view.js';
import { whiteoutEntry } from '../../src/layer/whiteout.js';
import { ContextView } from '../../src/worker/context/context-view.js';
import { readArchive } from '../../src/worker/file-op/archive.js';
import type { Change, ChangeSet } from '../../src/worker/file-op/change-set.js';
import { openContent } from '../../src/worker/file-op/content.js';
import { Overlay } from '../../src/worker/file-op/overlay.js';
import { parseFilter, type PathFilter } from '../../src/worker/file-op/path-filter.js';
import { planFileOp, type PlanOptions } from '../../src/worker/file-op/plan.js';
import { unpackMembers } from '../../src/worker/file-op/unpack.js';
import { difference, type Report } from './report.js';
import { EPOCH, listCases, prepareCase, readCase, type GoldenEntry, type PreparedCase } from './prepare-case.js';
import { parseSimple, type Step } from './simple-file-op.js';

const GROUPS = /^(?:add|base|bk|context|copy|env|ignore|workdir)-/;
const BUSYBOX = /^(?:docker\.io\/library\/)?(?:busybox|alpine)(?::.*)?$/;

/** Build cases without RUN whose Dockerfiles are simple: layer entries, and diffIds made with the packer. */
export async function run(conformanceDir: string): Promise<Report> {
  const work = mkdtempSync(path.join(tmpdir(), 'slipway-file-op-'));
  const isRoot = process.getuid?.() === 0;
  let total = 0;
  const failures: { id: string; detail: string }[] = [];
  try {
    const busybox = await readBusybox(conformanceDir, work);
    for (const summary of listCases(conformanceDir)) {
      if (!GROUPS.test(summary.name) || summary.run || summary.http || (summary.needsRoot && !isRoot)) continue;
      const steps = simpleSteps(conformanceDir, summary.name);
      if (steps === undefined) continue;
      using prepared = prepareCase(conformanceDir, summary.name, path.join(work, summary.name));
      const detail = await checkCase(prepared, steps, busybox, work);
      if (detail === 'not covered') continue;
      total++;
      if (detail !== undefined) failures.push({ id: summary.name, detail });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { name: 'file-op', total, failures };
}

function simpleSteps(conformanceDir: string, name: string): readonly Step[] | undefined {
  const { options, features } = readCase(conformanceDir, name);
  if (Object.keys(options).length > 0 || features.includes('context')) return undefined;
  return parseSimple(readFileSync(path.join(conformanceDir, 'build', name, 'Dockerfile'), 'utf8'));
}

async function checkCase(
  prepared: PreparedCase,
  steps: readonly Step[],
  busybox: RefView,
  work: string,
): Promise<string | undefined> {
  const { expect } = prepared.file;
  let layers: readonly ChangeSet[];
  try {
    layers = await buildLayers(prepared, steps, busybox, mkdtempSync(path.join(work, 'scratch-')));
  } catch (error) {
    if (error instanceof NotCovered) return 'not covered';
    if ('error' in expect && error instanceof Error && error.message.includes(expect.error)) return undefined;
    return `threw ${error instanceof Error ? error.stack : String(error)}`;
  }
  if ('error' in expect) return `gave no error, want ${expect.error}`;
  const golden = prepared.golden!;
  const entries: GoldenEntry[][] = [];
  for (const layer of layers) entries.push(await entriesOf(layer));
  const wanted = golden.layerEntries.map((layer) => layer.map(comparable));
  const different = difference('entries', entries, wanted);
  if (different !== undefined) return different;
  const diffIds: (string | null)[] = [];
  for (const [i, layer] of layers.entries()) diffIds.push(golden.layers[i] === null ? null : await diffIdOf(layer));
  return difference('diffIds', diffIds, golden.layers);
}

const inputsOf = new WeakMap<ChangeSet, readonly RefView[]>();

/** One change set an instruction of the last stage and the stages it stands on. */
async function buildLayers(
  prepared: PreparedCase,
  steps: readonly Step[],
  busybox: RefView,
  scratch: string,
): Promise<readonly ChangeSet[]> {
  const context = new ContextView(prepared.contextDir, { ignore: ignoreOf(prepared) });
  const stages = new Map<string, { readonly view: RefView | undefined; readonly layers: readonly ChangeSet[] }>();
  let view: RefView | undefined;
  let layers: ChangeSet[] = [];
  let stage = -1;
  let stageName: string | undefined;
  const viewOf = (name: string): RefView | undefined =>
    stages.get(name) ? stages.get(name)!.view : BUSYBOX.test(name) ? busybox : notCovered(`image ${name}`);
  const keep = (): void => {
    for (const name of [String(stage), stageName]) if (name !== undefined) stages.set(name, { view, layers });
  };
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'from') {
      keep();
      stage++;
      stageName = step.name;
      const parent = stages.get(step.image);
      view = step.image === 'scratch' ? undefined : viewOf(step.image);
      layers = [...(parent?.layers ?? [])];
      continue;
    }
    const source =
      step.kind === 'workdir' || step.from === 'scratch' ? undefined : step.from ? viewOf(step.from) : context;
    const base = step.kind === 'copy' && step.link ? undefined : view;
    if (step.kind === 'copy' && step.link && index !== steps.length - 1) notCovered('--link before the end');
    const inputs = [base, source].filter((one) => one !== undefined);
    const actions = step.actions(base ? 0 : -1, source ? inputs.length - 1 : -1, inputs.length);
    const dir = path.join(scratch, String(index));
    mkdirSync(dir);
    const [changes] = await planFileOp(actions, inputs, {
      now: EPOCH + 1000,
      scratchDir: dir,
      decompress,
      signal: new AbortController().signal,
    } satisfies PlanOptions);
    inputsOf.set(changes!, inputs);
    layers.push(changes!);
    view = changes!.view;
  }
  return layers;
}

function ignoreOf({ contextDir }: PreparedCase): PathFilter | undefined {
  const file = path.join(contextDir, '.dockerignore');
  return existsSync(file) ? parseFilter('exclude', parseIgnoreFile(readFileSync(file, 'utf8'))) : undefined;
}

/** The case checks something that is not the planner's business. */
class NotCovered extends Error {}

function notCovered(why: string): never {
  throw new NotCovered(why);
}

/** PAX records and names that are not UTF-8 are compared by the diffId. */
function comparable(golden: GoldenEntry): GoldenEntry {
  const { path: at, type, mode, uid, gid, size, mtime, linkname, sha256, devmajor, devminor, xattrs } = golden;
  return {
    path: at,
    type,
    mode,
    uid,
    gid,
    size,
    mtime,
    ...(linkname !== undefined && { linkname }),
    ...(sha256 !== undefined && { sha256 }),
    ...(devmajor !== undefined && { devmajor }),
    ...(devminor !== undefined && { devminor }),
    ...(xattrs !== undefined && { xattrs }),
  };
}

const TYPE_NAMES: Readonly<Record<string, string>> = { char: 'chardev', block: 'blockdev' };

async function entriesOf(layer: ChangeSet): Promise<GoldenEntry[]> {
  const entries: GoldenEntry[] = [];
  for (const change of layer.changes.values()) {
    const entry = change.kind === 'removed' ? whiteoutEntry(change.path) : change.entry;
    const capability = entry.xattrs?.get('security.capability');
    entries.push({
      path: toText(entry.path) + (entry.type === 'dir' ? '/' : ''),
      type: TYPE_NAMES[entry.type] ?? entry.type,
      mode: entry.mode.toString(8).padStart(4, '0'),
      uid: entry.uid,
      gid: entry.gid,
      size: entry.size,
      mtime: Math.min(entry.mtime, EPOCH),
      ...(entry.linkname !== undefined && { linkname: toText(entry.linkname) }),
      ...(entry.type === 'file' && { sha256: await sha256Of(change, inputsOf.get(layer)!) }),
      ...(entry.devMajor !== undefined && { devmajor: entry.devMajor, devminor: entry.devMinor ?? 0 }),
      ...(capability && { xattrs: { 'security.capability': capability.toString('base64') } }),
    });
  }
  return entries;
}

async function sha256Of(change: Change, inputs: readonly RefView[]): Promise<string> {
  const hash = createHash('sha256');
  if (change.kind === 'present' && change.content) {
    for await (const chunk of openContent(change.content, inputs)) hash.update(chunk);
  }
  return hash.digest('hex');
}

/** What the packer makes of it, times clamped as rewrite-timestamp does. */
async function diffIdOf(layer: ChangeSet): Promise<string> {
  const packer = new LayerPacker(() => undefined);
  for (const change of layer.changes.values()) {
    if (change.kind === 'removed') packer.add({ entry: whiteoutEntry(change.path) });
    else packer.add(await itemOf(change, inputsOf.get(layer)!));
  }
  return packer.finish().diffId;
}

async function itemOf(change: Change & { readonly kind: 'present' }, inputs: readonly RefView[]): Promise<PackItem> {
  const entry = { ...change.entry, mtime: Math.min(change.entry.mtime, EPOCH) };
  if (change.content === undefined) return { entry };
  const chunks: Buffer[] = [];
  for await (const chunk of openContent(change.content, inputs)) chunks.push(Buffer.from(chunk));
  return { entry, content: { kind: 'bytes', bytes: Buffer.concat(chunks) } };
}

/** The file system of the stand-in image that the goldens were recorded on. */
async function readBusybox(conformanceDir: string, work: string): Promise<RefView> {
  const layout = await membersOf(
    readFileSync(path.join(conformanceDir, 'images', 'busybox.oci.tar')),
    path.join(work, 'layout'),
  );
  const read = (name: string): Buffer => {
    const content = layout.get(name);
    if (content === undefined) throw new Error(`${name} is not in the layout`);
    return content;
  };
  const blob = (digest: string): Buffer => read(`blobs/${digest.replace(':', '/')}`);
  const index = JSON.parse(read('index.json').toString()) as {
    readonly manifests: readonly { readonly digest: string }[];
  };
  const manifest = JSON.parse(blob(index.manifests[0]!.digest).toString()) as {
    readonly layers: readonly { readonly digest: string }[];
  };
  const overlay = new Overlay({ inputs: [], base: -1, now: 1400000000 });
  for (const [i, layer] of manifest.layers.entries()) {
    const tar = decompress(chunked(blob(layer.digest)));
    const members = await readArchive(tar, path.join(work, `layer-${i}`), new AbortController().signal);
    unpackMembers(members ?? [], overlay, '', undefined);
  }
  return overlay;
}

async function* chunked(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}

async function membersOf(tar: Buffer, spoolFile: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const members = await readArchive(chunked(tar), spoolFile, new AbortController().signal);
  for (const { entry, content } of members ?? []) {
    const chunks: Buffer[] = [];
    if (content) for await (const chunk of openContent(content, [])) chunks.push(chunk);
    files.set(entry.path, Buffer.concat(chunks));
  }
  return files;
}
