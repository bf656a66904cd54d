import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { decompress } from './compression.js';
import type { Entry, EntryType } from './entry.js';
import { type PackItem, packLayer } from './pack.js';
import { TarParser } from './tar-reader.js';
import { readTar } from './tar-stream.js';
import { describeTree, describeView } from './testdata/read-tree.js';
import type { Toc } from './toc.js';
import { TocView } from './toc-view.js';
import { unpackLayer } from './unpack.js';

/** Rebuilds BuildKit's recorded layers from their lists of entries, where the contents can be found, and compares diffIds. */
const folder = path.resolve(process.env['SLIPWAY_CONFORMANCE'] ?? '../shared/conformance', 'build');

interface GoldenEntry {
  readonly path: string;
  readonly pathBase64?: string;
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkname?: string;
  readonly sha256?: string;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly unstable?: boolean;
}

interface Golden {
  readonly layers?: readonly (string | null)[];
  readonly layerEntries?: readonly (readonly GoldenEntry[])[];
}

const TYPES: Readonly<Record<string, EntryType>> = {
  file: 'file',
  dir: 'dir',
  symlink: 'symlink',
  hardlink: 'hardlink',
  chardev: 'char',
  blockdev: 'block',
  fifo: 'fifo',
};

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function entryOf(golden: GoldenEntry): Entry {
  const name = golden.pathBase64 ? Buffer.from(golden.pathBase64, 'base64').toString('latin1') : bytesOf(golden.path);
  const xattrs = Object.entries(golden.xattrs ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  );
  const type = TYPES[golden.type];
  if (!type) throw new Error(`unknown type ${golden.type}`);
  return {
    path: name.replace(/\/$/, ''),
    type,
    mode: Number.parseInt(golden.mode, 8),
    uid: golden.uid,
    gid: golden.gid,
    size: golden.size,
    mtime: golden.mtime,
    ...(golden.linkname !== undefined && { linkname: bytesOf(golden.linkname) }),
    ...(golden.devmajor !== undefined && { devMajor: golden.devmajor }),
    ...(golden.devminor !== undefined && { devMinor: golden.devminor }),
    ...(xattrs.length > 0 && { xattrs: new Map(xattrs) }),
  };
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Every content that a case has: its files, what is written in `case.json`, and what its archives hold. */
function contentsOf(caseFolder: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const add = (bytes: Buffer): void => {
    found.set(sha256(bytes), bytes);
  };
  add(Buffer.alloc(0));
  for (const text of ['1', '2', '3', 'foo', 'bar', 'a', 'b', 'x'])
    for (const end of ['', '\n']) add(Buffer.from(text + end));
  for (const name of readdirSync(caseFolder, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(caseFolder, name);
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) continue;
    const bytes = readFileSync(file);
    add(bytes);
    addMembers(bytes, add);
    if (/Dockerfile/.test(name)) addHeredocs(bytes.toString('utf8'), add);
  }
  addStrings(JSON.parse(readFileSync(path.join(caseFolder, 'case.json'), 'utf8')), add);
  return found;
}

function addMembers(bytes: Buffer, add: (bytes: Buffer) => void): void {
  if (bytes.toString('latin1', 257, 262) !== 'ustar') return;
  let parts: Buffer[] = [];
  const parser = new TarParser({
    entry: () => (parts = []),
    data: (part) => parts.push(part),
    end: () => add(Buffer.concat(parts)),
  });
  try {
    parser.write(bytes);
  } catch {
    // a case about a damaged archive: what came before the damage was added
  }
}

function addHeredocs(text: string, add: (bytes: Buffer) => void): void {
  for (const match of text.matchAll(/<<-?["']?(\w+)["']?[^\n]*\n([\s\S]*?\n)\s*\1\n/g)) {
    add(Buffer.from(match[2]!));
    add(Buffer.from(match[2]!.replace(/^\t+/gm, '')));
  }
  for (const match of text.matchAll(/(?:echo|printf)(?: -n)? ["']?([^"'>&;|\n]*?)["']? *>/g)) {
    add(Buffer.from(match[1]!));
    add(Buffer.from(`${match[1]!}\n`));
  }
}

function addStrings(value: unknown, add: (bytes: Buffer) => void): void {
  if (typeof value === 'string') {
    add(Buffer.from(value));
    add(Buffer.from(value, 'base64'));
  } else if (value !== null && typeof value === 'object') {
    for (const [key, one] of Object.entries(value)) {
      if (key === 'size' && typeof one === 'number' && one < 1 << 26) add(Buffer.alloc(one));
      addStrings(one, add);
    }
  }
}

const image = path.resolve(folder, '../images/busybox.oci.tar');

test.skipIf(!existsSync(image) || process.getuid?.() !== 0)(
  'a real image: diffIds, and the tree is what its tables of contents say (needs the conformance data, uid 0)',
  async () => {
    const blobs = new Map<string, Buffer>();
    for await (const { entry, content } of readTar([readFileSync(image)])) {
      const parts: Buffer[] = [];
      for await (const part of content()) parts.push(Buffer.from(part));
      blobs.set(entry.path, Buffer.concat(parts));
    }
    const json = (digest: string): never => JSON.parse(String(blobs.get(`blobs/sha256/${digest.slice(7)}`))) as never;
    const index = JSON.parse(String(blobs.get('index.json'))) as { manifests: { digest: string }[] };
    let manifest: { layers?: { digest: string }[]; manifests?: { digest: string }[]; config: { digest: string } };
    manifest = json(index.manifests[0]!.digest);
    if (manifest.manifests) manifest = json(manifest.manifests[0]!.digest);
    const config: { rootfs: { diff_ids: string[] } } = json(manifest.config.digest);
    const target = mkdtempSync(path.join(tmpdir(), 'slipway-image-'));
    try {
      const tocs: Toc[] = [];
      const view = (): TocView => new TocView(tocs, () => [] as never);
      for (const { digest } of manifest.layers!) {
        const stream = decompress([blobs.get(`blobs/sha256/${digest.slice(7)}`)!]);
        tocs.push((await unpackLayer(stream, target, { dialect: 'plain', lower: view() })).toc);
      }
      expect(tocs.map((toc) => toc.diffId)).toEqual(config.rootfs.diff_ids);
      expect(describeTree(target)).toEqual(describeView(view()));
      expect(view().list('')).toContain('bin');
    } finally {
      rmSync(target, { recursive: true });
    }
  },
);

test.skipIf(!existsSync(folder))(
  'layers of BuildKit come out with the same diffId (needs the conformance data)',
  () => {
    let layers = 0;
    let proved = 0;
    let cases = 0;
    const missing = new Set<string>();
    const wrong: string[] = [];
    for (const name of readdirSync(folder)) {
      const file = path.join(folder, name, 'golden.json');
      if (!existsSync(file)) continue;
      const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;
      const contents = contentsOf(path.join(folder, name));
      let whole = (golden.layers?.length ?? 0) > 0;
      for (const [i, diffId] of (golden.layers ?? []).entries()) {
        const list = golden.layerEntries?.[i];
        if (diffId === null || !list || list.some((entry) => entry.unstable)) continue;
        layers++;
        const items = list.map((one): PackItem | undefined => {
          const bytes = one.type === 'file' ? contents.get(one.sha256 ?? sha256(Buffer.alloc(0))) : undefined;
          if (one.type === 'file' && !bytes) return undefined;
          return { entry: entryOf(one), ...(bytes && { content: { kind: 'bytes', bytes } }) };
        });
        const known = items.filter((item) => item !== undefined);
        if (known.length < items.length) {
          whole = false;
          missing.add(name);
          continue;
        }
        if (packLayer(known, () => undefined).diffId === diffId) proved++;
        else wrong.push(`${name} layer ${i}`);
      }
      if (whole) cases++;
    }
    expect(wrong).toEqual([]);
    if (process.env['SLIPWAY_CONFORMANCE_COUNT'])
      process.stderr.write(`${proved} of ${layers} layers, ${cases} cases; missing ${[...missing].join(' ')}\n`);
    expect(proved).toBeGreaterThan(600);
  },
);
