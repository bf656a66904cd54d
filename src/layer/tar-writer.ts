import { isAscii, type ByteString } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import type { Entry } from './entry.js';
import { formatPax } from './pax.js';
import { BLOCK, checksums, fields, flagOf, flags, NAME_SIZE, splitName, XATTR_KEY } from './tar-format.js';

/** Two blocks of zeros: what follows the last entry. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** The name that a tar has for an entry: directories end in `/`. */
export function tarName(entry: Pick<Entry, 'path' | 'type'>): ByteString {
  return entry.type === 'dir' ? `${entry.path}/` : entry.path;
}

/**
 * The blocks that go before an entry's content, byte for byte as BuildKit has them: USTAR where USTAR can say it,
 * else PAX records for what it cannot. Content, and padding to a whole block, are the caller's.
 * Writes every extended attribute that `entry` has. Throws BuildError UNSUPPORTED for what no header can say.
 */
export function encodeHeader(entry: Entry): Buffer {
  const name = tarName(entry);
  const linkname = entry.linkname ?? '';
  const records = paxRecords(entry, name, linkname);
  if (!records) {
    const block = Buffer.alloc(BLOCK);
    const split = splitName(name);
    writeFields(block, 0, entry, split?.suffix ?? name, linkname);
    if (split) writeText(block, 0, fields.prefix, split.prefix);
    seal(block, 0);
    return block;
  }
  const body = formatPax(records);
  const padded = Math.ceil(body.length / BLOCK) * BLOCK;
  const out = Buffer.alloc(BLOCK + padded + BLOCK);
  writePaxHeader(out, name, body.length);
  body.copy(out, BLOCK);
  writeFields(out, BLOCK + padded, entry, dropNonAscii(name), dropNonAscii(linkname));
  seal(out, BLOCK + padded);
  return out;
}

/**
 * Writes the header of an entry into a block at `at`, if it is one of the usual kind: a file, a directory or a link with a
 * short name. Gives whether it did; for the others there is `encodeHeader`, which gives the same block for these.
 */
export function encodePlainHeader(entry: Entry, block: Buffer, at: number): boolean {
  const { path, type, mode, uid, gid, size, mtime, linkname = '' } = entry;
  if (type === 'char' || type === 'block' || entry.xattrs !== undefined) return false;
  const isDir = type === 'dir';
  if (path.length >= NAME_SIZE || linkname.length > NAME_SIZE || !isAscii(path) || !isAscii(linkname)) return false;
  if (uid >= PLAIN_ID || gid >= PLAIN_ID || !(mtime >= 0) || mtime >= PLAIN_NUMBER || size >= PLAIN_NUMBER)
    return false;
  block.set(PLAIN_HEADER, at);
  let sum = PLAIN_SUM + putText(block, at, path);
  if (isDir) sum += block[at + path.length] = SLASH;
  sum += putOctal(block, at + fields.mode[0], 7, mode);
  sum += putOctal(block, at + fields.uid[0], 7, uid);
  sum += putOctal(block, at + fields.gid[0], 7, gid);
  sum += putOctal(block, at + fields.size[0], 11, size);
  sum += putOctal(block, at + fields.mtime[0], 11, mtime);
  sum += block[at + fields.type[0]] = flagOf[type];
  sum += putText(block, at + fields.linkname[0], linkname);
  putOctal(block, at + fields.checksum[0], 6, sum);
  return true;
}

const SLASH = 0x2f;
const ZERO = 0x30;
/** Numbers below these fit into fields of 8 and 12 bytes, and into what shifts of JavaScript can do. */
const PLAIN_ID = 8 ** 7;
const PLAIN_NUMBER = 2 ** 33;

/** What such headers have in common, and the sum of it with blanks in place of the checksum. */
const PLAIN_HEADER = Buffer.alloc(BLOCK);
PLAIN_HEADER.write('ustar\0' + '00', fields.magic[0], 'latin1');
PLAIN_HEADER.write('0000000', fields.devMajor[0], 'latin1');
PLAIN_HEADER.write('0000000', fields.devMinor[0], 'latin1');
const PLAIN_SUM = checksums(PLAIN_HEADER, 0).unsigned;
PLAIN_HEADER[fields.checksum[0] + 7] = 0x20;

/** Gives the sum of the bytes. */
function putText(block: Buffer, at: number, text: ByteString): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += block[at + i] = text.charCodeAt(i);
  return sum;
}

/** So many digits; gives the sum of their bytes. */
function putOctal(block: Buffer, at: number, digits: number, value: number): number {
  let sum = 0;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const above = Math.floor(rest / 8);
    sum += block[i] = ZERO + (rest - above * 8);
    rest = above;
  }
  return sum;
}

/** Undefined when USTAR says everything. As Go: once PAX is needed, whatever its field cannot hold gets a record. */
function paxRecords(entry: Entry, name: ByteString, linkname: ByteString): Map<ByteString, ByteString> | undefined {
  const records = new Map<ByteString, ByteString>();
  let needed = false;
  if (name.length > NAME_SIZE || !isAscii(name)) {
    records.set('path', name);
    needed = !splitName(name);
  }
  if (linkname.length > NAME_SIZE || !isAscii(linkname)) records.set('linkpath', linkname);
  if (!fitsOctal(entry.uid, 8)) records.set('uid', String(entry.uid));
  if (!fitsOctal(entry.gid, 8)) records.set('gid', String(entry.gid));
  if (!fitsOctal(entry.size, 12)) records.set('size', String(entry.size));
  if (!fitsOctal(entry.mtime, 12)) records.set('mtime', String(entry.mtime));
  for (const [key, value] of entry.xattrs ?? []) records.set(XATTR_KEY + key, value.toString('latin1'));
  return needed || records.size > (records.has('path') ? 1 : 0) ? records : undefined;
}

function writePaxHeader(out: Buffer, name: ByteString, size: number): void {
  const slash = name.lastIndexOf('/') + 1;
  const file = name.slice(slash);
  const full = dropNonAscii(`${name.slice(0, slash)}PaxHeaders.0${file === '' ? '' : `/${file}`}`);
  writeText(out, 0, fields.name, full.slice(0, NAME_SIZE).replace(/\/+$/, ''));
  for (const field of [fields.mode, fields.uid, fields.gid, fields.mtime]) writeOctal(out, 0, field, 0);
  writeOctal(out, 0, fields.size, size);
  out[fields.type[0]] = flags.paxLocal;
  seal(out, 0);
}

function writeFields(block: Buffer, at: number, entry: Entry, name: ByteString, linkname: ByteString): void {
  writeText(block, at, fields.name, name);
  writeOctal(block, at, fields.mode, entry.mode);
  writeOctal(block, at, fields.uid, entry.uid);
  writeOctal(block, at, fields.gid, entry.gid);
  writeOctal(block, at, fields.size, entry.size);
  writeOctal(block, at, fields.mtime, entry.mtime);
  block[at + fields.type[0]] = flagOf[entry.type];
  writeText(block, at, fields.linkname, linkname);
  for (const [field, value] of [
    [fields.devMajor, entry.devMajor ?? 0],
    [fields.devMinor, entry.devMinor ?? 0],
  ] as const) {
    if (!fitsOctal(value, field[1])) {
      throw new BuildError('UNSUPPORTED', `a tar cannot hold the device number ${value} of \`${entry.path}\``);
    }
    writeOctal(block, at, field, value);
  }
}

type Field = readonly [start: number, length: number];

function writeText(block: Buffer, at: number, [start, length]: Field, text: ByteString): void {
  block.write(text, at + start, length, 'latin1');
  // As Go: cut at a slash, a long name of a file would read as a directory's.
  if (text.length <= length || block[at + start + length - 1] !== 0x2f) return;
  block[at + start + text.slice(0, length - 1).replace(/\/+$/, '').length] = 0;
}

/** A number that does not fit is written as 0: a PAX record has it. */
function writeOctal(block: Buffer, at: number, [start, length]: Field, value: number): void {
  const text = fitsOctal(value, length) ? value.toString(8) : '0';
  block.write(text.padStart(length - 1, '0'), at + start, length, 'latin1');
}

function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

function seal(block: Buffer, at: number): void {
  block.write('ustar\0' + '00', at + fields.magic[0], fields.magic[1], 'latin1');
  const [start] = fields.checksum;
  writeOctal(block, at, [start, 7], checksums(block, at).unsigned);
  block[at + start + 7] = 0x20;
}

function dropNonAscii(text: ByteString): ByteString {
  return isAscii(text) ? text : text.replace(/[\x80-\xff]/g, '');
}
