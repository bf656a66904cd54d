import type { ByteString } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import type { Digest } from '../oci/digest.js';
import type { Entry } from './entry.js';
import type { Fragment } from './sparse.js';
import type { Toc, TocEntry } from './toc.js';
import { compareTreeOrder } from './tree-order.js';

/** Names the version of the form below; another one is read as damage, and the table is made anew. */
const FORMAT = 'slipway-toc-2';

const TYPES: readonly Entry['type'][] = ['file', 'dir', 'symlink', 'hardlink', 'char', 'block', 'fifo'];

/** Bytes of a serialized table in which its first line ends. */
export const TOC_HEAD_BYTES = 512;

/** `Toc.size`, from the first bytes of what `serializeToc` wrote; undefined if they are damaged or of another version. */
export function tocSize(start: Buffer): number | undefined {
  try {
    const head = JSON.parse(start.toString('utf8').split('\n', 1)[0]!) as { format?: string; size?: number };
    return head.format === FORMAT ? head.size : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What only few entries have, and so has names. */
interface Rare extends Pick<Entry, 'linkname' | 'devMajor' | 'devMinor'> {
  readonly fragments?: readonly Fragment[];
  readonly xattrs?: readonly (readonly [string, string])[];
  readonly bytes?: string;
}

/** One entry. The digest's digits, if the table has them, and the place of the content are there for files. */
type Row = readonly [
  path: string,
  type: number,
  mode: number,
  uid: number,
  gid: number,
  size: number,
  mtime: number,
  digest: string,
  dataOffset: number,
  rare?: Rare,
];

/** A line of JSON for the table, then a list of its entries, each a row without names, for there are many, on a line of its own. */
export function serializeToc(toc: Toc): Buffer {
  const { diffId, size, digests, entries } = toc;
  const head = { format: FORMAT, diffId, size, entries: entries.length, ...(digests && { digests }) };
  const parts = [Buffer.from(`${JSON.stringify(head)}${LIST}`)];
  for (let from = 0; from < toc.entries.length; from += BATCH) {
    const rows = toc.entries.slice(from, from + BATCH).map(rowText);
    parts.push(Buffer.from(`${from > 0 ? ',\n' : ''}${rows.join(',\n')}`));
  }
  return Buffer.concat([...parts, Buffer.from(LIST_END)]);
}

/** Rows that are text at the same time. */
const BATCH = 1000;

/** A `Row` as JSON. */
function rowText(entry: TocEntry): string {
  const { path, type, mode, uid, gid, size, mtime, digest = SHA256, dataOffset = -1 } = entry;
  const name = PLAIN_NAME.test(path) ? `"${path}"` : JSON.stringify(path);
  const hex = digest.slice(SHA256.length);
  const usual = `[${name},${TYPES.indexOf(type)},${mode},${uid},${gid},${size},${mtime},"${hex}",${dataOffset}`;
  const rare = rareOf(entry);
  return rare ? `${usual},${JSON.stringify(rare)}]` : `${usual}]`;
}

/** What is the same in JSON, between quotes. */
const PLAIN_NAME = /^[ !#-[\]-~]*$/;

const SHA256 = 'sha256:';

function rareOf({ linkname, devMajor, devMinor, fragments, xattrs, bytes }: TocEntry): Rare | undefined {
  const isUsual = linkname === undefined && devMajor === undefined && devMinor === undefined && !fragments;
  if (isUsual && !xattrs && !bytes) return undefined;
  return {
    ...(linkname !== undefined && { linkname }),
    ...(devMajor !== undefined && { devMajor }),
    ...(devMinor !== undefined && { devMinor }),
    ...(fragments && { fragments }),
    ...(xattrs && { xattrs: [...xattrs].map(([key, value]) => [key, value.toString('base64')] as const) }),
    ...(bytes && { bytes: bytes.toString('base64') }),
  };
}

interface Head extends Pick<Toc, 'diffId' | 'size' | 'digests'> {
  readonly format?: string;
  readonly entries: number;
}

/** Reads what `serializeToc` wrote. Throws BuildError STORE_INVALID for a part of it, or another version. */
export function parseToc(content: Buffer): Toc {
  const text = content.toString('utf8');
  const line = text.indexOf('\n');
  try {
    const head = JSON.parse(text.slice(0, line)) as Head;
    if (head.format === FORMAT && line > 0) {
      const rows = JSON.parse(text.slice(line)) as readonly Row[] | null;
      if (Array.isArray(rows) && rows.length === head.entries)
        return {
          diffId: head.diffId,
          size: head.size,
          entries: rows.map(fromRow),
          ...(head.digests === 'none' && { digests: 'none' }),
        };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new BuildError('STORE_INVALID', 'a table of contents is damaged or of another version');
}

/** The row of a file of which nothing is rare, of a table that has digests. */
const USUAL_FILE = /^\["[^"]*",(\d),\d+,\d+,\d+,\d+,-?\d+,"([0-9a-f]{64})",(\d+)\],?$/;

/** Files of a serialized table, found by their paths with one pass over it: they are to be asked for once each, in its order. */
export class TocFiles {
  readonly #content: Buffer;
  /** Where the line begins that is looked at next. */
  #at: number;

  /** Undefined for what `parseToc` would not take, as far as its first line shows. */
  static in(content: Buffer): TocFiles | undefined {
    return tocSize(content.subarray(0, TOC_HEAD_BYTES)) === undefined ? undefined : new TocFiles(content);
  }

  private constructor(content: Buffer) {
    this.#content = content;
    this.#at = content.indexOf(LIST) + LIST.length;
  }

  /** Digest and place of a file that lies in one piece; undefined for all others. */
  find(path: ByteString): { readonly digest: Digest; readonly dataOffset: number } | undefined {
    const begin = PLAIN_NAME.test(path) ? `["${path}",` : undefined;
    for (;;) {
      const end = this.#content.indexOf('\n', this.#at);
      const line = end < 0 ? '' : this.#content.toString('latin1', this.#at, end);
      if (!line.startsWith('[')) return undefined;
      // Most files are as they were, and there are many: their rows are not taken apart.
      const usual = begin !== undefined && line.startsWith(begin) ? USUAL_FILE.exec(line) : null;
      if (usual && TYPES[Number(usual[1])] === 'file') {
        this.#at = end + 1;
        return { digest: `${SHA256}${usual[2]!}` as Digest, dataOffset: Number(usual[3]) };
      }
      const entry = rowAt(this.#content, this.#at);
      const order = entry && compareTreeOrder(entry.path, path);
      if (!entry || order! > 0) return undefined;
      this.#at = end + 1;
      if (order! < 0) continue;
      const { digest, dataOffset, fragments } = entry;
      return digest === undefined || dataOffset === undefined || fragments ? undefined : { digest, dataOffset };
    }
  }
}

/** The entry of the row that begins at `at` of a serialized table; undefined for a damaged one: nothing is known of what follows. */
export function rowAt(content: Buffer, at: number): TocEntry | undefined {
  try {
    return fromRow(JSON.parse(content.toString('utf8', at, content.indexOf('\n', at)).replace(/,$/, '')) as Row);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What stands between the first line and the list, and behind it. */
const LIST = '\n[\n';
export const LIST_END = '\n]\n';

function fromRow(row: Row): TocEntry {
  const [path, type, mode, uid, gid, size, mtime, hex, dataOffset, rare] = row;
  const entry: TocEntry = { path, type: TYPES[type]!, mode, uid, gid, size, mtime };
  const digest = `${SHA256}${hex}` as Digest;
  const whole = { ...entry, ...(hex !== '' && { digest }), ...(dataOffset >= 0 && { dataOffset }) };
  if (!rare) return whole;
  const { xattrs, bytes, ...others } = rare;
  return {
    ...whole,
    ...others,
    ...(xattrs && { xattrs: new Map(xattrs.map(([key, value]) => [key, Buffer.from(value, 'base64')])) }),
    ...(bytes !== undefined && { bytes: Buffer.from(bytes, 'base64') }),
  };
}
