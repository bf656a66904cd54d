import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test as anyTest } from 'vitest';
import { lgetxattr, lsetxattr } from '../../base/linux/xattr.js';
import { bringHome } from './moved-directories.js';
import { Placements, type Placement } from './placements.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-placements-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const test = anyTest.skipIf(process.getuid?.() !== 0); // owners, devices
const opts = { signal: new AbortController().signal };
const PAST = new Date(1_500_000_000_000);

interface Place {
  readonly at: (name: string) => string;
  readonly root: string;
  readonly notes: string;
  readonly placements: Placements;
}

function makePlace(): Place {
  const dir = mkdtempSync(path.join(base, 'p'));
  const at = (name: string): string => path.join(dir, name);
  for (const name of ['root/etc', 'root/data', 'aside', 'notes', 'source', 'home'])
    mkdirSync(at(name), { recursive: true });
  const dirs = { aside: at('aside'), notes: at('notes') };
  return { at, root: at('root'), notes: at('notes'), placements: new Placements(at('root'), dirs) };
}

/** Everything about a tree that a layer could tell, and which inodes it is made of. */
function factsOf(dir: string): readonly string[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  return ['.', ...names].map((name) => {
    const { ino, mode, uid, gid, nlink, mtimeNs } = lstatSync(path.join(dir, name), { bigint: true });
    return [name, ino, mode, uid, gid, nlink, mtimeNs].join(' ');
  });
}

function setOld(root: string): void {
  for (const name of ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })]) {
    if (!lstatSync(path.join(root, name)).isSymbolicLink()) utimesSync(path.join(root, name), PAST, PAST);
  }
}

const HOSTS: Placement = { kind: 'file', content: 'placed\n', mode: 0o644 };

test('what was there is put aside, and comes back the very same', async () => {
  const { root, placements, at } = makePlace();
  writeFileSync(at('root/etc/hosts'), 'own\n', { mode: 0o640 });
  linkSync(at('root/etc/hosts'), at('root/data/twin'));
  lsetxattr(at('root/etc/hosts'), 'user.a', Buffer.from('x'));
  mkdirSync(at('root/dev'));
  writeFileSync(at('root/dev/own'), '');
  setOld(root);
  const before = factsOf(root);
  await placements.place('/etc/hosts', HOSTS, opts);
  await placements.place('/dev', { kind: 'dir', mode: 0o1777 }, opts);
  expect(readFileSync(at('root/etc/hosts'), 'utf8')).toBe('placed\n');
  expect(readFileSync(at('root/data/twin'), 'utf8')).toBe('own\n');
  expect(readdirSync(at('root/dev'))).toEqual([]);
  expect(statSync(at('root/dev')).mode & 0o7777).toBe(0o1777);
  expect(statSync(at('root/etc')).mtime).toEqual(PAST);
  writeFileSync(at('root/dev/new'), '');
  placements.remove();
  expect(factsOf(root)).toEqual(before);
  expect(readFileSync(at('root/etc/hosts'), 'utf8')).toBe('own\n');
  expect(lgetxattr(at('root/etc/hosts'), 'user.a')?.toString()).toBe('x');
  expect(readdirSync(at('aside'))).toEqual([]);
});

test('one may lie in another, and cover it; links lead inside the root', async () => {
  const { root, placements, at } = makePlace();
  writeFileSync(at('source/f'), 'f');
  mkdirSync(at('source/d'));
  symlinkSync('/etc', at('root/link'));
  setOld(root);
  const before = factsOf(root);
  await placements.place('/data', { kind: 'copy', source: at('source') }, opts);
  await placements.place('/data/d/deep/er', HOSTS, opts);
  await placements.place('/data/f', HOSTS, opts);
  await placements.place('/data/f', { kind: 'copy', source: at('source/f') }, opts);
  await placements.place('/link/x', HOSTS, opts);
  expect(readFileSync(at('root/data/f'), 'utf8')).toBe('f');
  expect(readFileSync(at('root/data/d/deep/er'), 'utf8')).toBe('placed\n');
  expect(readFileSync(at('root/etc/x'), 'utf8')).toBe('placed\n');
  placements.remove();
  expect(factsOf(root)).toEqual(before);
  expect(readdirSync(at('source')).sort()).toEqual(['d', 'f']);
});

test('a copy has owner, mode and content of its source, which stays as it is', async () => {
  const { placements, at } = makePlace();
  writeFileSync(at('source/secret'), 's3cret');
  chmodSync(at('source/secret'), 0o440);
  await placements.place('/run/secret', { kind: 'copy', source: at('source/secret') }, opts);
  expect(statSync(at('root/run/secret')).mode & 0o7777).toBe(0o440);
  writeFileSync(at('root/run/secret'), 'changed');
  placements.remove();
  expect(existsSync(at('root/run/secret'))).toBe(false);
  expect(readFileSync(at('source/secret'), 'utf8')).toBe('s3cret');
});

test('a moved directory comes home with what was written to it', async () => {
  const { placements, notes, at } = makePlace();
  writeFileSync(at('home/old'), '');
  const { ino } = statSync(at('home'));
  await placements.place('/data', { kind: 'moved', source: at('home') }, opts);
  expect(existsSync(at('home'))).toBe(false);
  writeFileSync(at('root/data/new'), '');
  placements.remove();
  expect([readdirSync(at('home')).sort(), statSync(at('home')).ino]).toEqual([['new', 'old'], ino]);
  expect([readdirSync(at('root/data')), readdirSync(notes)]).toEqual([[], []]);
});

test('a moved directory that is placed twice is a link the second time', async () => {
  const { placements, at } = makePlace();
  mkdirSync(at('home/sub'));
  await placements.place('/data', { kind: 'moved', source: at('home') }, opts);
  await placements.place('/again', { kind: 'moved', source: at('home/sub') }, opts);
  expect(readlinkSync(at('root/again'))).toBe('/data/sub');
  placements.remove();
  expect([readdirSync(at('home')), existsSync(at('root/again'))]).toEqual([['sub'], false]);
});

test('a moved directory that the process has removed or replaced by a link is empty afterwards', async () => {
  for (const replace of [undefined, '/etc']) {
    const { placements, at } = makePlace();
    await placements.place('/data', { kind: 'moved', source: at('home') }, opts);
    rmSync(at('root/data'), { recursive: true });
    if (replace !== undefined) symlinkSync(replace, at('root/data'));
    placements.remove();
    expect(readdirSync(at('home'))).toEqual([]);
    expect(lstatSync(at('root/data')).isDirectory()).toBe(true);
  }
});

test('a part of a moved directory is copied from where that is; a file is moved as well', async () => {
  const { placements, at } = makePlace();
  mkdirSync(at('home/sub'));
  writeFileSync(at('home/sub/f'), 'part');
  writeFileSync(at('home/file'), 'old');
  await placements.place('/data/all', { kind: 'moved', source: at('home') }, opts);
  await placements.place('/part', { kind: 'copy', source: at('home/sub') }, opts);
  expect(readFileSync(at('root/part/f'), 'utf8')).toBe('part');
  placements.remove();
  await placements.place('/one', { kind: 'moved', source: at('home/file') }, opts);
  linkSync(at('root/one'), at('root/two'));
  writeFileSync(at('root/one'), 'new');
  placements.remove();
  writeFileSync(at('root/two'), 'later');
  expect([readdirSync(at('home')).sort(), readFileSync(at('home/file'), 'utf8')]).toEqual([['file', 'sub'], 'new']);
  expect(readdirSync(at('root')).sort()).toEqual(['data', 'etc', 'two']);
});

test('a link in the place of a directory above where it belongs leads nothing out of the store', async () => {
  for (const how of ['by itself', 'after a crash']) {
    const { placements, notes, at } = makePlace();
    mkdirSync(at('home/up/sub'), { recursive: true });
    mkdirSync(at('outside'));
    await placements.place('/a', { kind: 'moved', source: at('home/up/sub') }, opts);
    await placements.place('/b', { kind: 'moved', source: at('home') }, opts);
    writeFileSync(at('root/a/planted'), '');
    rmSync(at('root/b/up'), { recursive: true });
    symlinkSync(at('outside'), at('root/b/up'));
    if (how === 'after a crash') {
      mkdirSync(at('home'));
      renameSync(at('root/b/up'), at('home/up')); // as when the outer one was first
      bringHome(notes, at('.'));
    } else placements.remove();
    expect(readdirSync(at('outside')), how).toEqual([]);
    expect([readlinkSync(at('home/up')), readdirSync(notes)]).toEqual([at('outside'), []]);
  }
});

test('a directory around a moved one may lose its place, or get another in it', async () => {
  for (const made of [false, true]) {
    const { placements, root, at } = makePlace();
    mkdirSync(at('home/up/sub'), { recursive: true });
    await placements.place('/a', { kind: 'moved', source: at('home/up/sub') }, opts);
    await placements.place('/b', { kind: 'moved', source: at('home') }, opts);
    rmSync(at('root/b/up'), { recursive: true });
    if (made) mkdirSync(at('root/b/up/sub/new'), { recursive: true });
    placements.remove();
    expect(readdirSync(at('home'), { recursive: true })).toEqual(made ? ['up', 'up/sub', 'up/sub/new'] : []);
    expect(readdirSync(root).sort()).toEqual(['data', 'etc']);
  }
});

test('what the process has linked to files of the root is parted from them when a moved directory goes home', async () => {
  const { placements, at } = makePlace();
  writeFileSync(at('home/package'), 'good');
  linkSync(at('home/package'), at('home/twin'));
  writeFileSync(at('home/own'), '');
  linkSync(at('home/own'), at('home/own-too'));
  writeFileSync(at('root/etc/passwd'), 'users');
  await placements.place('/data/c', { kind: 'moved', source: at('home') }, opts);
  linkSync(at('root/data/c/package'), at('root/data/installed'));
  linkSync(at('root/etc/passwd'), at('root/data/c/passwd'));
  placements.remove();
  writeFileSync(at('root/data/installed'), 'changed by a later step');
  writeFileSync(at('home/passwd'), 'changed by another build');
  expect(['package', 'twin'].map((name) => readFileSync(at(`home/${name}`), 'utf8'))).toEqual(['good', 'good']);
  expect(readFileSync(at('root/etc/passwd'), 'utf8')).toBe('users');
  expect(statSync(at('home/own')).ino).toBe(statSync(at('home/own-too')).ino);
});

test('what was placed goes, however deep the process has made it', async () => {
  const { placements, root, at } = makePlace();
  await placements.place('/data/c', { kind: 'moved', source: at('home') }, opts);
  await placements.place('/dev', { kind: 'dir', mode: 0o755 }, opts);
  const deep = `for (let i = 0; i < 40; i++) require('node:fs').mkdirSync('n'.repeat(200)), process.chdir('n'.repeat(200))`;
  execFileSync(process.execPath, ['-e', deep], { cwd: at('root/dev') });
  placements.remove();
  expect([readdirSync(root).sort(), readdirSync(at('home'))]).toEqual([['data', 'etc'], []]);
});

test('after a crash a moved directory is found by its note, unless it is not the same any more', async () => {
  for (const [what, found] of [
    ['as it was', true],
    ['behind a link', false],
    ['another directory', false],
    ['a successor', false],
  ] as const) {
    const { placements, notes, at } = makePlace();
    writeFileSync(at('home/f'), '');
    await placements.place('/data/c', { kind: 'moved', source: at('home') }, opts);
    if (what === 'behind a link') {
      renameSync(at('root/data'), at('root/other'));
      symlinkSync('other', at('root/data'));
    }
    if (what === 'another directory') {
      renameSync(at('root/data/c'), at('root/data/d'));
      mkdirSync(at('root/data/c'));
    }
    if (what === 'a successor') mkdirSync(at('home'));
    bringHome(notes, at('root'));
    expect(existsSync(at('home/f')), what).toBe(found);
    expect(readdirSync(notes)).toEqual([]);
  }
});

test('a directory above that the process has renamed is found; one that it has replaced by a link is left alone', async () => {
  const { placements, at } = makePlace();
  writeFileSync(at('root/etc/hosts'), 'own\n');
  mkdirSync(at('outside'));
  writeFileSync(at('outside/hosts'), 'of the machine\n');
  await placements.place('/etc/hosts', HOSTS, opts);
  renameSync(at('root/etc'), at('root/data/etc2'));
  symlinkSync('../outside', at('root/etc'));
  placements.remove();
  expect(readFileSync(at('root/data/etc2/hosts'), 'utf8')).toBe('own\n');
  expect(readFileSync(at('outside/hosts'), 'utf8')).toBe('of the machine\n');
});

test('with the directory above goes what was put aside', async () => {
  const { placements, at } = makePlace();
  writeFileSync(at('root/etc/hosts'), 'own\n');
  await placements.place('/etc/hosts', HOSTS, opts);
  rmSync(at('root/etc'), { recursive: true });
  placements.remove();
  expect([existsSync(at('root/etc')), readdirSync(at('aside'))]).toEqual([false, []]);
});

test('a socket leads to its own', async () => {
  const { placements, at } = makePlace();
  const server = createServer((socket) => socket.on('data', (data) => socket.end(`got ${data.toString()}`)));
  await new Promise<void>((resolve) => server.listen(at('source/agent'), resolve));
  chmodSync(at('source/agent'), 0o600);
  const deep = `/${'deep/'.repeat(30)}agent`;
  await placements.place(deep, { kind: 'copy', source: at('source/agent') }, opts);
  expect(statSync(path.join(at('root'), deep)).mode & 0o7777).toBe(0o600);
  const fd = openSync(path.dirname(path.join(at('root'), deep)), 'r');
  const client = connect(`/proc/self/fd/${fd}/agent`);
  client.write('hello');
  expect(await text(client)).toBe('got hello');
  placements.remove();
  expect(existsSync(path.join(at('root'), deep))).toBe(false);
  server.close();
  closeSync(fd);
});

test('a file has no place where a directory is', async () => {
  const { placements } = makePlace();
  await expect(placements.place('/etc', HOSTS, opts)).rejects.toMatchObject({ code: 'RUN_FAILED' });
});
