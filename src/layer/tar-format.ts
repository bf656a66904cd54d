import { isAscii, type ByteString } from '../base/bytes.js';
import type { EntryType } from './entry.js';

/** Facts of the tar format that reader and writer share: the USTAR header, field by field (POSIX pax, "ustar Interchange Format"). */
export const BLOCK = 512;
export const NAME_SIZE = 100;
export const PREFIX_SIZE = 155;

export const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  devMajor: [329, 8],
  devMinor: [337, 8],
  prefix: [345, 155],
  /** star: the prefix is shorter, and a trailer tells the format. */
  starPrefix: [345, 131],
  starTrailer: [508, 4],
  gnuAtime: [345, 12],
  gnuCtime: [357, 12],
  /** Old GNU: four (offset, length) pairs, a flag for more, and the size with holes. */
  gnuSparse: [386, 97],
  gnuRealSize: [483, 12],
} as const;

export const flags = {
  regular: 0x30, // '0'
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  dir: 0x35,
  fifo: 0x36,
  contiguous: 0x37,
  paxLocal: 0x78, // 'x'
  paxGlobal: 0x67, // 'g'
  gnuLongName: 0x4c, // 'L'
  gnuLongLink: 0x4b, // 'K'
  gnuSparse: 0x53, // 'S'
} as const;

export const flagOf: Readonly<Record<EntryType, number>> = {
  file: flags.regular,
  hardlink: flags.hardlink,
  symlink: flags.symlink,
  char: flags.char,
  block: flags.block,
  dir: flags.dir,
  fifo: flags.fifo,
};

/** PAX keyword under which archivers keep extended attributes: `SCHILY.xattr.<name>`. */
export const XATTR_KEY = 'SCHILY.xattr.';

/** Bytes that fill up the last block of a content of `size` bytes. */
export function paddingOf(size: number): number {
  const rest = size % BLOCK;
  return rest === 0 ? 0 : BLOCK - rest;
}

/** Sum of a header's bytes with the checksum field read as blanks: as unsigned bytes, and as signed ones (old Suns). */
export function checksums(block: Uint8Array, at: number): { readonly unsigned: number; readonly signed: number } {
  let unsigned = 8 * 0x20;
  let high = 0;
  const [start, length] = fields.checksum;
  for (let i = at, end = at + start; i < end; i++) {
    const byte = block[i]!;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let i = at + start + length, end = at + BLOCK; i < end; i++) {
    const byte = block[i]!;
    unsigned += byte;
    high += byte >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}

/**
 * Splits a name over the USTAR fields prefix and name as Go's archive/tar does, which decides if a PAX record is
 * needed; undefined when it cannot be split (or is short enough not to need it).
 */
export function splitName(name: ByteString): { readonly prefix: ByteString; readonly suffix: ByteString } | undefined {
  let length = name.length;
  if (length <= NAME_SIZE || !isAscii(name)) return undefined;
  if (length > PREFIX_SIZE + 1) length = PREFIX_SIZE + 1;
  else if (name.endsWith('/')) length--;
  const slash = name.lastIndexOf('/', length - 1);
  const suffixLength = name.length - slash - 1;
  if (slash <= 0 || suffixLength > NAME_SIZE || suffixLength === 0) return undefined;
  return { prefix: name.slice(0, slash), suffix: name.slice(slash + 1) };
}
