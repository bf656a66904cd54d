import { type ByteString, isAscii } from '../base/bytes.js';
import { checksums, fields } from './tar-format.js';

/** The fields of one header block, not yet merged with PAX or GNU long names. */
export interface RawHeader {
  readonly flag: number;
  readonly name: ByteString;
  readonly linkname: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly isGnu: boolean;
  /** GNU only: size of a sparse file with its holes; undefined when damaged. */
  readonly realSize: number | undefined;
}

/** Reads v7, USTAR (with PAX), star and GNU headers as Go does. Undefined for what is no header: wrong sum, wrong number. */
export function parseHeader(block: Buffer): RawHeader | undefined {
  const sum = parseNumber(block, ...fields.checksum);
  const { unsigned, signed } = checksums(block, 0);
  if (sum === undefined || (sum !== unsigned && sum !== signed)) return undefined;
  const magic = block.toString('latin1', fields.magic[0], fields.magic[0] + fields.magic[1]);
  const isUstar = magic.startsWith('ustar\0');
  const isGnu = magic === 'ustar  \0';
  const size = parseNumber(block, ...fields.size);
  const mode = parseNumber(block, ...fields.mode);
  const uid = parseNumber(block, ...fields.uid);
  const gid = parseNumber(block, ...fields.gid);
  const mtime = parseNumber(block, ...fields.mtime);
  const hasDevice = isUstar || isGnu;
  const devMajor = hasDevice ? parseNumber(block, ...fields.devMajor) : 0;
  const devMinor = hasDevice ? parseNumber(block, ...fields.devMinor) : 0;
  if (size === undefined || mode === undefined || uid === undefined || gid === undefined) return undefined;
  if (mtime === undefined || devMajor === undefined || devMinor === undefined) return undefined;
  let name = parseText(block, ...fields.name);
  if (isUstar) {
    const [start, length] = fields.starTrailer;
    const isStar = block.toString('latin1', start, start + length) === 'tar\0';
    const prefix = isStar ? parseText(block, ...fields.starPrefix) : parseText(block, ...fields.prefix);
    if (prefix !== '') name = `${prefix}/${name}`;
  } else if (isGnu && !hasGnuTimes(block)) {
    const prefix = parseText(block, ...fields.prefix);
    if (prefix !== '' && isAscii(prefix)) name = `${prefix}/${name}`;
  }
  return {
    flag: block[fields.type[0]]!,
    name,
    linkname: parseText(block, ...fields.linkname),
    mode,
    uid,
    gid,
    size,
    mtime,
    devMajor,
    devMinor,
    isGnu,
    realSize: isGnu ? parseNumber(block, ...fields.gnuRealSize) : undefined,
  };
}

/** Octal, or GNU's base-256 where the first bit is set. Undefined for neither, and beyond the exact numbers of JavaScript. */
export function parseNumber(block: Buffer, start: number, length: number): number | undefined {
  if ((block[start]! & 0x80) !== 0) return parseBase256(block, start, length);
  let at = start;
  let end = start + length;
  while (at < end && isBlank(block[at]!)) at++;
  while (end > at && isBlank(block[end - 1]!)) end--;
  let value = 0;
  for (; at < end; at++) {
    const byte = block[at]!;
    if (byte === 0) break; // what follows a NUL is not part of the number
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + (byte - 0x30);
  }
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Two's complement, most significant byte first, below the flag bit. */
function parseBase256(block: Buffer, start: number, length: number): number | undefined {
  const isNegative = (block[start]! & 0x40) !== 0;
  const flip = isNegative ? 0xff : 0;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const byte = block[start + i]! ^ flip;
    value = value * 256 + (i === 0 ? byte & 0x7f : byte);
  }
  if (!Number.isSafeInteger(value)) return undefined;
  return isNegative ? -value - 1 : value;
}

/**
 * Writers made with Go before 1.8, old image builders among them, put a USTAR prefix into GNU headers, where atime and
 * ctime belong; then these are no numbers.
 */
function hasGnuTimes(block: Buffer): boolean {
  return [fields.gnuAtime, fields.gnuCtime].every(
    ([start, length]) => block[start] === 0 || parseNumber(block, start, length) !== undefined,
  );
}

function parseText(block: Buffer, start: number, length: number): ByteString {
  const nul = block.indexOf(0, start);
  return block.toString('latin1', start, nul < 0 || nul > start + length ? start + length : nul);
}

function isBlank(byte: number): boolean {
  return byte === 0 || byte === 0x20;
}
