import { type ByteString, toText } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { cleanPath } from './entry-path.js';
import type { Entry, EntryType } from './entry.js';
import type { PaxRecords } from './pax.js';
import { type Fragment, mapFromRecords, parseDecimal, sparseVersion } from './sparse.js';
import { flags, XATTR_KEY } from './tar-format.js';
import type { RawHeader } from './tar-header.js';

/** An entry as a tar has it. */
export interface TarEntry extends Entry {
  /** The name as stored, before it was made clean: may be absolute, have `..`, end in a slash. */
  readonly rawName: ByteString;
  /** Hard links and symlinks: the target as stored. */
  readonly rawLinkname: ByteString;
  /** Where the content begins, counted in bytes of the uncompressed tar. */
  readonly dataOffset: number;
  /** Sparse files only: what of the file the content holds, one part directly after the other. The rest is zeros. */
  readonly fragments?: readonly Fragment[];
}

export interface MergedEntry {
  readonly entry: TarEntry;
  /** Bytes that follow the header. */
  readonly stored: number;
  readonly sparse: 'none' | 'old-gnu' | '0.x' | '1.0';
  /** The sparse map, where it is known already. */
  readonly fragments?: Fragment[];
}

const TYPES: ReadonlyMap<number, EntryType> = new Map([
  [0, 'file'],
  [flags.regular, 'file'],
  [flags.contiguous, 'file'],
  [flags.gnuSparse, 'file'],
  [flags.hardlink, 'hardlink'],
  [flags.symlink, 'symlink'],
  [flags.char, 'char'],
  [flags.block, 'block'],
  [flags.dir, 'dir'],
  [flags.fifo, 'fifo'],
]);

/** A header with the records before it laid over. A string is what is wrong with it. */
export function mergeEntry(
  raw: RawHeader,
  pax: PaxRecords | undefined,
  longName: ByteString,
  longLink: ByteString,
): MergedEntry | string {
  const records = pax ?? NO_RECORDS;
  const numbers = mergeNumbers(raw, records);
  if (typeof numbers === 'string') return numbers;
  const isRegular = TYPES.get(raw.flag) === 'file';
  let rawName = longName || records.get('path') || raw.name;
  const isDir = raw.flag === flags.dir || (raw.flag === 0 && rawName.endsWith('/'));
  const type = isDir ? 'dir' : TYPES.get(raw.flag);
  if (!type) return `unknown type of entry ${JSON.stringify(String.fromCharCode(raw.flag))}`;
  const stored = type === 'file' ? numbers.size : 0;
  let size = stored;
  let sparse: MergedEntry['sparse'] = raw.flag === flags.gnuSparse ? 'old-gnu' : sparseVersion(records);
  let fragments: Fragment[] | undefined;
  if (sparse === 'old-gnu') {
    if (!raw.isGnu || raw.realSize === undefined) return 'a damaged sparse header';
    size = raw.realSize;
  } else if (sparse !== 'none') {
    if (!isRegular || type !== 'file') return 'a sparse map on what is no file';
    rawName = records.get('GNU.sparse.name') || rawName;
    const real = records.get('GNU.sparse.size') || records.get('GNU.sparse.realsize');
    const parsed = real === undefined ? size : parseDecimal(real);
    if (parsed === undefined) return 'a damaged sparse header';
    size = parsed;
    if (sparse === '0.x') {
      fragments = mapFromRecords(records);
      if (!fragments) return 'a damaged sparse map';
    }
  }
  const rawLinkname = longLink || records.get('linkpath') || raw.linkname;
  if (rawName.length > limits.pathBytes || rawLinkname.length > limits.pathBytes) return 'a name is too long';
  if (rawName.includes('\0') || rawLinkname.includes('\0')) return 'a name has a NUL byte';
  const xattrs = xattrsOf(records);
  const entry: TarEntry = {
    path: cleanPath(rawName),
    type,
    mode: raw.mode & 0o7777,
    uid: numbers.uid,
    gid: numbers.gid,
    size,
    mtime: numbers.mtime,
    ...(type === 'symlink' && { linkname: rawLinkname }),
    ...(type === 'hardlink' && { linkname: cleanPath(rawLinkname) }),
    ...(hasDevice(type, raw) && { devMajor: raw.devMajor, devMinor: raw.devMinor }),
    ...(xattrs && { xattrs }),
    rawName,
    rawLinkname,
    dataOffset: 0,
  };
  return { entry, stored, sparse, ...(fragments && { fragments }) };
}

const NO_RECORDS: PaxRecords = new Map();

interface Numbers {
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
}

/** An empty record leaves the header's value. Owners are 32 bits: -2 is 4294967294, as chown(2) takes it. */
function mergeNumbers(raw: RawHeader, records: PaxRecords): Numbers | string {
  const values = { uid: raw.uid, gid: raw.gid, size: raw.size, mtime: raw.mtime };
  for (const key of ['uid', 'gid', 'size'] as const) {
    const text = records.get(key);
    if (!text) continue;
    if (!/^[+-]?\d{1,19}$/.test(text)) return `PAX record \`${key}\` is no number: \`${toText(text.slice(0, 40))}\``;
    values[key] = Number(text);
  }
  const time = records.get('mtime');
  if (time) {
    const seconds = parseTime(time);
    if (seconds === undefined) return `PAX record \`mtime\` is no time: \`${toText(time.slice(0, 40))}\``;
    values.mtime = seconds;
  }
  if (!Number.isSafeInteger(values.size) || values.size < 0) return 'a size is out of range';
  if (!Number.isSafeInteger(values.mtime)) return 'a time is out of range';
  return { ...values, uid: values.uid >>> 0, gid: values.gid >>> 0 };
}

/** `seconds[.fraction]`, rounded down to whole seconds. */
function parseTime(text: ByteString): number | undefined {
  const match = /^([+-]?\d{1,19})(?:\.(\d*))?$/.exec(text);
  if (!match) return undefined;
  const seconds = Number(match[1]);
  const isBelow = text.startsWith('-') && /[1-9]/.test((match[2] ?? '').slice(0, 9));
  return (isBelow ? seconds - 1 : seconds) + 0;
}

function xattrsOf(records: PaxRecords): Map<string, Buffer> | undefined {
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of records) {
    if (!key.startsWith(XATTR_KEY)) continue;
    xattrs ??= new Map();
    xattrs.set(key.slice(XATTR_KEY.length), Buffer.from(value, 'latin1'));
  }
  return xattrs;
}

/** A further name of a device has its numbers too, as Go and so BuildKit write it. */
function hasDevice(type: Entry['type'], { devMajor, devMinor }: Pick<RawHeader, 'devMajor' | 'devMinor'>): boolean {
  if (type === 'hardlink') return devMajor !== 0 || devMinor !== 0;
  return type === 'char' || type === 'block';
}
