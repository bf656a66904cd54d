import { gzipSync } from 'node:zlib';
import { makeTar } from '../support/tar.js';
import type { Seeded } from '../support/seeded.js';

const BLOCK = 512;

/** Fields of a header: offset and length. */
const FIELDS: readonly (readonly [offset: number, length: number])[] = [
  [0, 100], // name
  [100, 8], // mode
  [108, 8], // uid
  [116, 8], // gid
  [124, 12], // size
  [136, 12], // mtime
  [156, 1], // type
  [157, 100], // link name
  [257, 8], // magic and version
  [329, 8], // major
  [337, 8], // minor
  [345, 155], // prefix
];

const VALUES: readonly Buffer[] = [
  ['', '0', '1', '5', '7', 'x', 'g', 'L', 'K', 'S', 'V', '\xff', '777', '00000001000', '77777777777', '-1', ' '],
  ['9', '.', '..', '/', '../../../x', '/etc/passwd', 'a/b/c', '.wh.a', '.wh..wh..opq', 'd/.wh..wh..opq', '.wh.'],
  ['a\0b', 'd', 'link', '\x80\0\0\0\0\0\0\0\0\0\x10\0', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'],
  ['\x80\x7f\xff\xff\xff\xff\xff\xff', 'ustar  \0'],
]
  .flat()
  .map((text) => Buffer.from(text, 'latin1'));

const PAX: readonly string[] = [
  ['path=../../x', 'path=/abs', 'path=', 'size=99999999999999', 'size=-1', 'size=x', 'mtime=1e9', 'mtime=-5.5'],
  ['uid=4294967296', 'linkpath=d', 'SCHILY.xattr.user.a=b', 'SCHILY.xattr.=x'],
  ['SCHILY.xattr.security.capability=zz', 'GNU.sparse.major=1', 'GNU.sparse.map=0,5,3'],
  ['GNU.sparse.map=0,99999999999', 'GNU.sparse.realsize=7', 'GNU.sparse.name=q', 'hdrcharset=BINARY', '=', 'x'],
].flat();

/** Sound archives to start from. */
export function sampleTars(): readonly Buffer[] {
  const long = 'long-name/'.repeat(30);
  return [
    makeTar([
      { path: 'd', type: 'dir' },
      { path: 'd/f', content: 'one' },
      { path: 'g', content: 'x'.repeat(700), mode: 0o4755, uid: 5, gid: 6 },
      { path: 'h', type: 'hardlink', linkname: 'd/f' },
      { path: 'link', type: 'symlink', linkname: 'd' },
      { path: 'link/through', content: 'two' },
    ]),
    makeTar([
      { path: `${long}f`, content: 'deep' },
      { path: 'l', type: 'symlink', linkname: `${long}f` },
      { path: 'x', content: 'y', xattrs: new Map([['user.a', Buffer.from('\0\xff', 'latin1')]]), mtime: -5 },
      { path: 'big', content: 'z', uid: 4_000_000_000, gid: 3_000_000 },
    ]),
    makeTar([
      { path: 'a', type: 'fifo' },
      { path: 'b', type: 'dir', mode: 0o1777 },
      { path: 'b/.wh.c', content: '' },
      { path: 'b/.wh..wh..opq', content: '' },
      { path: 'etc/passwd', content: 'root:x:0:0::/:\napp:x:7:8::/:\n' },
      { path: 'etc/group', content: 'root:x:0:\nstaff:x:9:app\n' },
    ]),
    makeTar([
      { path: 'a/b/c/d', content: '1' },
      { path: 'a/b', type: 'dir', mode: 0o700, uid: 3 },
      { path: 'a/b', content: 'a file now' },
      { path: 'loop', type: 'symlink', linkname: 'loop' },
      { path: 'loop/x', content: 'y' },
    ]),
  ];
}

/** One to four changes of one of `tars`; now and then compressed, before or after. */
export function mutateTar(tars: readonly Buffer[], seeded: Seeded): Buffer {
  let tar: Buffer = Buffer.from(seeded.of(tars));
  for (let left = 1 + seeded.below(4); left > 0; left--) tar = seeded.of(CHANGES)(tar, seeded);
  if (seeded.below(6) > 0) return tar;
  const compressed = gzipSync(tar);
  if (seeded.below(2) === 0) compressed[seeded.below(compressed.length)]! ^= 1 << seeded.below(8);
  return compressed;
}

type Change = (tar: Buffer, seeded: Seeded) => Buffer;

const CHANGES: readonly Change[] = [
  setField,
  setField,
  setField,
  setField,
  insertPax,
  (tar, seeded) => {
    if (tar.length > 0) tar[seeded.below(tar.length)] = seeded.below(256);
    return tar;
  },
  (tar, seeded) => tar.subarray(0, seeded.below(tar.length + 1)),
  (tar, seeded) => {
    const at = BLOCK * seeded.below(Math.ceil(tar.length / BLOCK));
    return Buffer.concat([tar.subarray(0, at), tar.subarray(at + BLOCK)]);
  },
  (tar, seeded) => {
    const at = BLOCK * seeded.below(Math.ceil(tar.length / BLOCK));
    return Buffer.concat([tar.subarray(0, at + BLOCK), tar.subarray(at)]);
  },
];

/** Writes over one field of a header and mends the checksum, so that the reader goes on. */
function setField(tar: Buffer, seeded: Seeded): Buffer {
  const headers = headersOf(tar);
  if (headers.length === 0) return tar;
  const at = seeded.of(headers);
  const [offset, length] = seeded.of(FIELDS);
  tar.fill(0, at + offset, at + offset + length);
  seeded.of(VALUES).copy(tar, at + offset, 0, length);
  mendChecksum(tar, at);
  return tar;
}

function insertPax(tar: Buffer, seeded: Seeded): Buffer {
  const headers = headersOf(tar);
  if (headers.length === 0) return tar;
  const at = seeded.of(headers);
  const record = ` ${seeded.of(PAX)}\n`;
  const length = seeded.below(8) === 0 ? seeded.of(['', '0', '-1', '9999', 'x']) : String(record.length + 2);
  const content = Buffer.alloc(BLOCK);
  const size = content.write(length + record, 'latin1');
  const header = Buffer.from(tar.subarray(at, at + BLOCK));
  header.fill(0, 0, 100);
  header.write('pax');
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write(seeded.of(['x', 'x', 'g', 'L', 'K']), 156);
  mendChecksum(header, 0);
  return Buffer.concat([tar.subarray(0, at), header, content, tar.subarray(at)]);
}

function headersOf(tar: Buffer): readonly number[] {
  const found: number[] = [];
  for (let at = 0; at + BLOCK <= tar.length; at += BLOCK) {
    if (tar.toString('latin1', at + 257, at + 262) === 'ustar') found.push(at);
  }
  return found;
}

function mendChecksum(tar: Buffer, at: number): void {
  tar.fill(' ', at + 148, at + 156);
  let sum = 0;
  for (let i = at; i < at + BLOCK; i++) sum += tar[i]!;
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
}
