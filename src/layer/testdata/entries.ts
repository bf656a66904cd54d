import fc from 'fast-check';
import type { Entry } from '../entry.js';

const plain: Entry = { path: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_445_412_480 };
const long = (length: number, text = 'n'): string => text.repeat(length);

/** Entries on both sides of every limit of a tar header. */
export const edgeEntries: readonly Entry[] = [
  plain,
  { ...plain, type: 'dir', path: 'd', mode: 0o1777 },
  { ...plain, mode: 0o6755 },
  { ...plain, path: long(100) },
  { ...plain, path: long(101) },
  { ...plain, type: 'dir', path: long(99) },
  { ...plain, type: 'dir', path: long(100) },
  { ...plain, path: `a/${long(100)}` },
  { ...plain, path: `a/${long(101)}` },
  { ...plain, path: `${long(155, 'p')}/${long(100)}` },
  { ...plain, path: `${long(156, 'p')}/${long(100)}` },
  { ...plain, path: `${long(150, 'p')}/${long(50)}/${long(60)}` },
  { ...plain, type: 'dir', path: `${long(154, 'p')}/${long(99)}` },
  { ...plain, type: 'dir', path: `${long(155, 'p')}/${long(99)}` },
  { ...plain, type: 'dir', path: `${long(154, 'p')}/x` },
  { ...plain, path: `${long(99, 'p')}/${long(101)}` },
  { ...plain, path: `${long(49, 'p')}/${long(49)}/${long(300)}` },
  { ...plain, path: 'd/\xc3\xa9' },
  { ...plain, type: 'dir', path: 'd/\xc3\xa9' },
  { ...plain, type: 'dir', path: '\xc3\xa9' },
  { ...plain, path: '\xfe\x78' },
  { ...plain, path: `${long(60, '\xc3\xa9')}/x` },
  { ...plain, path: `${long(98)}/\xc3\xa9/${long(40)}` },
  { ...plain, type: 'symlink', mode: 0o777, linkname: long(100) },
  { ...plain, type: 'symlink', mode: 0o777, linkname: long(101) },
  { ...plain, type: 'symlink', mode: 0o777, linkname: `${long(99)}/x` },
  { ...plain, type: 'symlink', mode: 0o777, linkname: '\xe6\x97\xa5' },
  { ...plain, type: 'symlink', mode: 0o777, path: `${long(120, 'p')}/${long(50)}`, linkname: `${long(120)}/x` },
  { ...plain, type: 'hardlink', linkname: 'other' },
  { ...plain, type: 'char', devMajor: 1, devMinor: 3 },
  { ...plain, type: 'block', devMajor: 259, devMinor: 1_048_575 },
  { ...plain, type: 'fifo' },
  { ...plain, uid: 2_097_151, gid: 2_097_151 },
  { ...plain, uid: 2_097_152, gid: 4_294_967_294 },
  { ...plain, path: `${long(120, 'p')}/${long(50)}`, gid: 2_097_152 },
  { ...plain, size: 8 ** 11 - 1 },
  { ...plain, size: 8 ** 11 },
  { ...plain, mtime: 0 },
  { ...plain, mtime: -1 },
  { ...plain, mtime: 8 ** 11 - 1 },
  { ...plain, mtime: 8 ** 11 },
  {
    ...plain,
    xattrs: new Map([['security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')]]),
  },
  {
    ...plain,
    xattrs: new Map([
      ['user.b', Buffer.from('=\n\xff', 'latin1')],
      ['user.a', Buffer.alloc(0)],
    ]),
  },
  { ...plain, xattrs: new Map([['user.x', Buffer.alloc(82)]]) },
  { ...plain, xattrs: new Map([['user.x', Buffer.alloc(83)]]) },
  { ...plain, xattrs: new Map([['user.x', Buffer.alloc(512)]]) },
];

const component = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z]{60,120}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z\x80-\xff]{1,20}$/) },
);
const pathArb = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

/** Any entry that a packer can meet. */
export const anyEntry: fc.Arbitrary<Entry> = fc
  .record({
    path: pathArb,
    type: fc.constantFrom('file', 'dir', 'symlink', 'hardlink', 'char', 'fifo'),
    mode: fc.nat(0o7777),
    uid: fc.oneof(fc.nat(70_000), fc.integer({ min: 2_097_140, max: 4_294_967_294 })),
    gid: fc.oneof(fc.nat(70_000), fc.integer({ min: 2_097_140, max: 4_294_967_294 })),
    size: fc.oneof(fc.nat(), fc.integer({ min: 8 ** 11 - 10, max: 8 ** 12 })),
    mtime: fc.oneof(fc.nat(), fc.integer({ min: -(2 ** 33), max: 2 ** 34 })),
    linkname: pathArb,
    xattr: fc.option(fc.uint8Array({ minLength: 1, maxLength: 700 }), { freq: 4 }),
  })
  .map(({ linkname, xattr, size, ...entry }) => ({
    ...entry,
    size: entry.type === 'file' ? size : 0,
    ...((entry.type === 'symlink' || entry.type === 'hardlink') && { linkname }),
    ...(entry.type === 'char' && { devMajor: 5, devMinor: 1 }),
    ...(xattr && { xattrs: new Map([['user.any', Buffer.from(xattr)]]) }),
  }));
