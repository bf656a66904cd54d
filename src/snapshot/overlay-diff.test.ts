import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toFsPath } from '../base/bytes.js';
import { lsetxattr } from '../base/linux/xattr.js';
import { FuseMount } from './fuse-overlay.js';
import { settleUpper, timesSeen, type SeenTimes } from './fuse-upper.js';
import { diffUpper } from './overlay-diff.js';
import { mountActive, mountView, unmountTree } from './overlay.js';
import { partLinks } from './part-links.js';
import { TreeView } from './tree-view.js';
import type { Change, LowerView } from './types.js';

const root = process.getuid?.() === 0;
const base = mkdtempSync(path.join(tmpdir(), 'slipway-diff-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const signal = new AbortController().signal;

let dir: string;
let count = 0;
beforeEach(() => {
  dir = path.join(base, String(count++));
  for (const name of ['l0', 'l1', 'u', 'w', 'm', 'v']) mkdirSync(path.join(dir, name), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (file: string, content = ''): void => {
  mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
  writeFileSync(path.join(dir, file), content);
};

/** Mounts `l0`, `l1` and `u` at `m`, changes them, and tells the difference. */
async function diffOfOverlay(change: (m: string) => void): Promise<readonly Change[]> {
  const opts = { dir, userxattr: false };
  mountActive(['l0', 'l1'], 'u', 'w', 'm', opts);
  try {
    change(path.join(dir, 'm'));
  } finally {
    unmountTree(path.join(dir, 'm'));
  }
  mountView(['l0', 'l1'], 'v', opts);
  try {
    return await diffUpper(path.join(dir, 'u'), new TreeView(path.join(dir, 'v')), { signal });
  } finally {
    unmountTree(path.join(dir, 'v'));
  }
}

/** The same by fuse-overlayfs, as `FuseStacking` uses it. */
async function diffOfFuse(change: (m: string) => void): Promise<readonly Change[]> {
  for (const name of ['l0', 'l1']) partLinks(path.join(dir, name), { signal });
  const since = lstatSync(path.join(dir, 'u'), { bigint: true }).mtimeNs;
  const lowers = ['l0', 'l1'];
  const active = { lowers, target: 'm', changes: { upper: 'u', work: 'w' } };
  let seen: SeenTimes;
  const mount = await FuseMount.open(fuse, dir, active, { signal });
  try {
    change(path.join(dir, 'm'));
    seen = timesSeen(path.join(dir, 'u'), path.join(dir, 'm'), since, { signal });
    await mount.finish({ signal });
  } finally {
    mount.drop();
  }
  const below = await FuseMount.open(fuse, dir, { lowers, target: 'v' }, { signal });
  try {
    const view = new TreeView(path.join(dir, 'v'));
    settleUpper(path.join(dir, 'u'), view, { seen, since, signal });
    return await diffUpper(path.join(dir, 'u'), view, { signal, marks: 'names' });
  } finally {
    below.drop();
  }
}

const fuse = '/usr/bin/fuse-overlayfs';
const ways = [
  { name: 'overlayfs', diff: diffOfOverlay, able: root },
  { name: 'fuse-overlayfs', diff: diffOfFuse, able: root && existsSync(fuse) && existsSync('/dev/fuse') },
];

function say(changes: readonly Change[]): readonly string[] {
  return changes.map((change) => {
    if (change.kind === 'removed') return `-${change.path}`;
    const { type, path: name, linkname } = change.entry;
    return `${type} ${name}${linkname === undefined ? '' : `>${linkname}`}`;
  });
}

describe.each(ways)('changes as $name tells them (needs root)', ({ diff, able }) => {
  beforeEach(({ skip }) => skip(!able, 'not root, or not installed'));

  test('order is that of a tree walk, parents first, names as bytes', async () => {
    const changes = await diff((m) => {
      for (const name of ['d/a', 'd/a.b', 'd/a-b']) mkdirSync(`${m}/${name}`, { recursive: true });
      for (const name of ['d/a/x', 'd/a-b/x']) writeFileSync(`${m}/${name}`, 'x');
      writeFileSync(toFsPath(`${m}/\xff`), '');
      symlinkSync('d', `${m}/l`);
    });
    expect(say(changes)).toEqual([
      'dir d',
      'dir d/a',
      'file d/a/x',
      'dir d/a-b',
      'file d/a-b/x',
      'dir d/a.b',
      'symlink l>d',
      'file \xff',
    ]);
    const file = changes.find((one) => one.kind === 'present' && one.entry.path === 'd/a/x');
    expect(file?.kind === 'present' && readFileSync(toFsPath(file.contentPath), 'utf8')).toBe('x');
  });

  test('removed names are whiteouts at their place, parents with their own metadata', async () => {
    put('l0/d/a');
    put('l1/d/b');
    put('l1/d/c');
    chmodSync(path.join(dir, 'l1/d'), 0o711);
    const changes = await diff((m) => {
      unlinkSync(`${m}/d/b`);
      writeFileSync(`${m}/d/bb`, '');
      unlinkSync(`${m}/d/a`);
    });
    expect(say(changes)).toEqual(['dir d', '-d/a', '-d/b', 'file d/bb']);
    expect(changes[0]).toMatchObject({ entry: { mode: 0o711 } });
  });

  test('a directory that is made anew says which names it lost', async () => {
    for (const name of ['d/old', 'd/keep', 'd/sub/x', 'd/sub/y']) put(`l0/${name}`, 'content');
    const changes = await diff((m) => {
      rmSync(`${m}/d`, { recursive: true });
      mkdirSync(`${m}/d/sub`, { recursive: true });
      writeFileSync(`${m}/d/sub/y`, 'other content');
      writeFileSync(`${m}/d/new`, '');
    });
    expect(say(changes)).toEqual(['dir d', '-d/keep', 'file d/new', '-d/old', 'dir d/sub', '-d/sub/x', 'file d/sub/y']);
  });

  test('a renamed directory, and a new one in its place', async () => {
    put('l0/a/f', '1');
    const changes = await diff((m) => {
      mkdirSync(`${m}/b`);
      renameSync(`${m}/a/f`, `${m}/b/f`);
      rmSync(`${m}/a`, { recursive: true });
      mkdirSync(`${m}/a`);
      writeFileSync(`${m}/a/g`, '');
    });
    expect(say(changes)).toEqual(['dir a', '-a/f', 'file a/g', 'dir b', 'file b/f']);
  });

  test('a file in place of a directory and the reverse need no whiteout', async () => {
    put('l0/d/x');
    put('l0/f');
    const changes = await diff((m) => {
      rmSync(`${m}/d`, { recursive: true });
      writeFileSync(`${m}/d`, '');
      unlinkSync(`${m}/f`);
      mkdirSync(`${m}/f`);
      writeFileSync(`${m}/f/y`, '');
    });
    expect(say(changes)).toEqual(['file d', 'dir f', 'file f/y']);
  });

  test('what ends as it was is left out, and so are marks of overlayfs and other attributes', async () => {
    put('l0/d/f', 'same');
    put('l0/d/g', 'same');
    const at = 1_000_000_000;
    for (const name of ['f', 'g']) utimesSync(path.join(dir, `l0/d/${name}`), at, at);
    const changes = await diff((m) => {
      writeFileSync(`${m}/d/f`, 'same');
      utimesSync(`${m}/d/f`, at, at);
      writeFileSync(`${m}/d/g`, 'diff');
      utimesSync(`${m}/d/g`, at, at);
      lsetxattr(`${m}/d`, 'user.x', Buffer.from('1'));
      writeFileSync(`${m}/gone`, '');
      unlinkSync(`${m}/gone`);
    });
    expect(say(changes)).toEqual(['dir d', 'file d/g']);
    expect(changes[0]?.kind === 'present' && [...(changes[0].entry.xattrs?.keys() ?? [])]).toEqual(['user.x']);
  });

  test('only the parts of a second differ', async () => {
    put('l0/f', 'aaaa');
    utimesSync(path.join(dir, 'l0/f'), 1000, 1000.25);
    expect(
      say(
        await diff((m) => {
          writeFileSync(`${m}/f`, 'aaaa');
          utimesSync(`${m}/f`, 1000, 1000.5);
        }),
      ),
    ).toEqual(['file f']);
  });

  test('mode of a directory alone; a capability alone', async () => {
    put('l0/d/f');
    put('l0/x');
    const changes = await diff((m) => {
      chmodSync(`${m}/d`, 0o700);
      const effective = Buffer.from('0100000200040000000000000000000000000000', 'hex');
      lsetxattr(`${m}/x`, 'security.capability', effective);
    });
    expect(say(changes)).toEqual(['dir d', 'file x']);
  });

  test('the first name holds the content; names of lower files are single', async () => {
    put('l0/low', 'x');
    linkSync(path.join(dir, 'l0/low'), path.join(dir, 'l0/low2'));
    const changes = await diff((m) => {
      mkdirSync(`${m}/d`);
      writeFileSync(`${m}/d/a`, '1');
      linkSync(`${m}/d/a`, `${m}/c`);
      linkSync(`${m}/d/a`, `${m}/d/b`);
      symlinkSync('t', `${m}/s`);
      linkSync(`${m}/s`, `${m}/s2`);
      chmodSync(`${m}/low2`, 0o600);
    });
    expect(say(changes)).toEqual([
      'file c',
      'dir d',
      'hardlink d/a>c',
      'hardlink d/b>c',
      'file low2',
      'symlink s>t',
      'hardlink s2>s',
    ]);
    expect(changes[2]).toMatchObject({ entry: { size: 0 } });
  });

  test('a directory in which files were only changed keeps its time; one with another name does not', async () => {
    for (const name of ['a/f', 'a/sub/f', 'b/f', 'c/f', 'd/f', 'e/f']) put(`l0/${name}`, '1');
    for (const name of ['a/sub', 'a', 'b', 'c', 'd', 'e']) utimesSync(path.join(dir, 'l0', name), 1000, 1000);
    const changes = await diff((m) => {
      for (const name of ['a/f', 'a/sub/f', 'b/f', 'c/f']) appendFileSync(`${m}/${name}`, '2');
      writeFileSync(`${m}/b/new`, '');
      utimesSync(`${m}/c`, 2000, 2000);
      unlinkSync(`${m}/d/f`);
      chmodSync(`${m}/e/f`, 0o600);
      chmodSync(`${m}/e`, 0o700);
    });
    const times = new Map(changes.map((one) => (one.kind === 'present' ? [one.entry.path, one.entry.mtime] : ['', 0])));
    expect([times.get('a'), times.get('a/sub'), times.get('c'), times.get('e')]).toEqual([1000, 1000, 2000, 1000]);
    for (const name of ['b', 'd']) expect(times.get(name), name).toBeGreaterThan(2000);
  });

  test('what is made in a tree of marks alone is no mark', async () => {
    put('l0/d/x');
    put('l1/e');
    const changes = await diff((m) => {
      rmSync(`${m}/d`, { recursive: true });
      mkdirSync(`${m}/d`);
      mkdirSync(`${m}/n/n`, { recursive: true });
      unlinkSync(`${m}/e`);
      writeFileSync(`${m}/e`, 'again');
    });
    expect(say(changes)).toEqual(['dir d', '-d/x', 'file e', 'dir n', 'dir n/n']);
  });
});

test('a lower view without parts of seconds: content decides', async () => {
  writeFileSync(path.join(dir, 'u/f'), 'abc');
  utimesSync(path.join(dir, 'u/f'), 1000, 1000.5);
  const lower = (content: string): LowerView => ({
    lstat: (name) =>
      name === 'f'
        ? {
            path: 'f',
            type: 'file',
            mode: 0o644,
            uid: process.getuid?.() ?? 0,
            gid: process.getgid?.() ?? 0,
            size: 3,
            mtime: 1000,
          }
        : undefined,
    list: () => ['f'],
    open: async function* () {
      yield Buffer.from(content.slice(0, 1));
      yield Buffer.from(content.slice(1));
    },
  });
  chmodSync(path.join(dir, 'u/f'), 0o644);
  expect(await diffUpper(path.join(dir, 'u'), lower('abc'), { signal })).toEqual([]);
  expect(say(await diffUpper(path.join(dir, 'u'), lower('abd'), { signal }))).toEqual(['file f']);
});

test('an aborted walk stops', async () => {
  await expect(diffUpper(path.join(dir, 'u'), new TreeView(dir), { signal: AbortSignal.abort() })).rejects.toThrow();
});
