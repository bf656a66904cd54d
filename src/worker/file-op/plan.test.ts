import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { RefView } from '../../layer/ref-view.js';
import type { CopyAction, FileAction } from '../../llb/types.js';
import type { ChangeSet } from './change-set.js';
import { planFileOp } from './plan.js';
import { sampleTree } from './sample-tree.js';

const scratchDir = mkdtempSync(path.join(tmpdir(), 'slipway-plan-'));
afterAll(() => rmSync(scratchDir, { recursive: true }));

function copy(src: string, dest: string, more: Partial<CopyAction> = {}): CopyAction {
  return {
    type: 'copy',
    src,
    dest,
    mode: -1,
    followSymlink: true,
    dirCopyContents: true,
    attemptUnpackDockerCompatibility: false,
    createDestPath: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
    ...more,
  };
}

async function plan(inputs: readonly RefView[], ...actions: readonly FileAction[]): Promise<readonly ChangeSet[]> {
  const { signal } = new AbortController();
  return planFileOp(actions, inputs, { now: 9000, scratchDir, decompress: (bytes) => bytes, signal });
}

/** One action with input 0 as its base and input 1 as its source. */
async function apply(
  base: RefView,
  source: RefView | undefined,
  action: FileAction['action'],
): Promise<readonly string[]> {
  const inputs = source ? [base, source] : [base];
  const [set] = await plan(inputs, { input: 0, secondaryInput: source ? 1 : -1, output: 0, action });
  return shown(set!);
}

function shown({ changes }: ChangeSet): readonly string[] {
  return [...changes].map(([at, change]) => {
    if (change.kind === 'removed') return `- ${at}`;
    const { path: entryPath, type, mode, uid, gid, mtime, linkname } = change.entry;
    expect(entryPath).toBe(at);
    const link = linkname === undefined ? '' : ` > ${linkname}`;
    return `${at} ${type} ${mode.toString(8)} ${uid}:${gid} @${mtime}${link}`;
  });
}

const empty = sampleTree({});

test('parents are listed, and only a directory that got a new name has a new time', async () => {
  const base = sampleTree({ 'a/': { mode: 0o711, uid: 5 }, 'a/b/': {}, 'a/b/old': 'x' });
  const source = sampleTree({ f: { data: 'new', mtime: 700 } });
  expect(await apply(base, source, copy('/f', '/a/b/f'))).toEqual([
    'a dir 711 5:0 @500',
    'a/b dir 755 0:0 @9000',
    'a/b/f file 644 0:0 @700',
  ]);
});

test('a copy of what is there already changes nothing, other content does', async () => {
  const base = sampleTree({ 'd/': {}, 'd/f': 'same' });
  expect(await apply(base, sampleTree({ 'd/': { mtime: 77 }, 'd/f': 'same' }), copy('/d', '/d'))).toEqual([]);
  expect(await apply(base, sampleTree({ 'd/': {}, 'd/f': 'SAME' }), copy('/d', '/d'))).toHaveLength(2);
  expect(await apply(base, sampleTree({ 'd/': {}, 'd/f': { data: 'same', mtime: 501 } }), copy('/d', '/d'))).toEqual([
    'd dir 755 0:0 @500',
    'd/f file 644 0:0 @501',
  ]);
});

test('tar order is a walk of the tree, not an order of path strings', async () => {
  const source = sampleTree({ 'a-b/': {}, 'a/': {}, 'a/x': '1', 'a.b': '2' });
  const changes = await apply(empty, source, copy('/', '/'));
  expect(changes.map((one) => one.split(' ')[0])).toEqual(['a', 'a/x', 'a-b', 'a.b']);
});

test('hard links stay links among what is copied, the first in tar order holds the data', async () => {
  const source = sampleTree({ 'z/': {}, 'z/one': 'x', a: { sameAs: 'z/one' } });
  expect(await apply(empty, source, copy('/', '/d/'))).toEqual([
    'd dir 755 0:0 @1000',
    'd/a file 644 0:0 @500',
    'd/z dir 755 0:0 @500',
    'd/z/one hardlink 644 0:0 @500 > d/a',
  ]);
  expect(await apply(empty, source, copy('/a', '/b'))).toEqual(['b file 644 0:0 @500']);
});

test('the bytes of a copy of a copy are named by the input that has them', async () => {
  const source = sampleTree({ f: 'bytes' });
  const [set] = await plan(
    [source],
    { input: -1, secondaryInput: 0, output: -1, action: copy('/f', '/g') },
    { input: -1, secondaryInput: 1, output: 0, action: copy('/g', '/h') },
  );
  expect(set!.changes.get('h')).toMatchObject({ content: { kind: 'view', input: 0, path: 'f', size: 5 } });
  expect((await set!.view.readFile('h', 100))!.toString()).toBe('bytes');
});

test('an action that two others need is not changed by either', async () => {
  const rm = (file: string): FileAction['action'] => ({
    type: 'rm',
    path: file,
    allowNotFound: false,
    allowWildcard: false,
  });
  const sets = await plan(
    [sampleTree({ a: '1', b: '2', c: '3' })],
    { input: 0, secondaryInput: -1, output: 0, action: rm('/a') },
    { input: 1, secondaryInput: -1, output: 1, action: rm('/b') },
    { input: 1, secondaryInput: -1, output: 2, action: rm('/c') },
  );
  expect(sets.map(shown)).toEqual([['- a'], ['- a', '- b'], ['- a', '- c']]);
});

test('a directory that is removed and made again hides each name that it lost', async () => {
  const base = sampleTree({ 'd/': {}, 'd/kept': 'x', 'd/lost': 'x', 'd/s/': {}, 'd/s/deep': 'x' });
  const source = sampleTree({ 'd/': {}, 'd/kept': { data: 'y', mtime: 3 }, 'd/s/': {} });
  const [set] = await plan(
    [base, source],
    {
      input: 0,
      secondaryInput: -1,
      output: -1,
      action: { type: 'rm', path: '/d', allowNotFound: false, allowWildcard: false },
    },
    { input: 2, secondaryInput: 1, output: 0, action: copy('/d', '/d') },
  );
  expect(shown(set!)).toEqual([
    'd dir 755 0:0 @500',
    'd/kept file 644 0:0 @3',
    '- d/lost',
    'd/s dir 755 0:0 @500',
    '- d/s/deep',
  ]);
});

test('a link or file in the way is replaced on demand, without a whiteout', async () => {
  const base = sampleTree({ 'd/': {}, 'd/x': { to: '/d' }, 'd/y/': {}, 'd/y/f': '1' });
  const source = sampleTree({ 'x/': {}, y: '2' });
  await expect(apply(base, source, copy('/', '/d'))).rejects.toThrow('cannot copy to non-directory: /d/x');
  expect(await apply(base, source, copy('/', '/d', { alwaysReplaceExistingDestPaths: true }))).toEqual([
    'd dir 755 0:0 @1000',
    'd/x dir 755 0:0 @500',
    'd/y file 644 0:0 @500',
  ]);
});

test('mode, owner and time apply to what is copied and to parents that are made', async () => {
  const source = sampleTree({ 's/': {}, 's/f': { mode: 0o4711 }, 's/l': { to: 'f' } });
  const action = copy('/s', '/p/q/', {
    mode: 0o2750,
    owner: { user: { id: 7 }, group: { id: 8 } },
    timestamp: '1999999999',
  });
  expect(await apply(empty, source, action)).toEqual([
    'p dir 750 7:8 @1',
    'p/q dir 750 7:8 @1',
    'p/q/f file 2750 7:8 @1',
    'p/q/l symlink 777 7:8 @1 > f',
  ]);
});

test('owners by name come from the base, through links', async () => {
  const base = sampleTree({
    'etc/': {},
    'etc/passwd': { to: '/real' },
    real: '# comment\nroot:x:0:0::/:\nbroken\napp:x:1000:1001::/:\n',
    'etc/group': 'staff:x:50:app\nodd:x::\n',
  });
  const source = sampleTree({ f: 'x' });
  const ids = async (user?: string, group?: string): Promise<string> => {
    const owner = { ...(user && { user: { name: user } }), ...(group && { group: { name: group } }) };
    return (await apply(base, source, copy('/f', '/n', { owner })))[0]!.split(' ')[3]!;
  };
  expect(await ids('app')).toBe('1000:1001');
  expect(await ids('app', 'staff')).toBe('1000:50');
  expect(await ids('app', 'none')).toBe('1000:1001');
  expect(await ids(undefined, 'staff')).toBe('0:50');
  expect(await ids('nobody', 'odd')).toBe('0:0');
});

test.each([
  [copy('/nope', '/x'), '"/nope": not found'],
  [copy('/nope', '/x', { excludePatterns: ['y'] }), 'lstat /nope: no such file or directory'],
  [copy('/', '/x', { includePatterns: ['a/b'], requiredPaths: ['/a/b'] }), '"/a/b": not found'],
  [copy('/no*', '/x', { allowEmptyWildcard: false }), '/no* not found'],
  [copy('/f', '/x/y', { createDestPath: false }), 'failed to stat /x/y: lstat /x: no such file or directory'],
  [copy('/f', '/file/x'), 'mkdir /file: not a directory'],
  [copy('/', '/x', { excludePatterns: ['['] }), 'invalid excludepatterns: [[]: syntax error in pattern'],
  [copy('/', '/x', { modeStr: 'u+q' }), 'invalid syntax'],
])('%o fails with %s', async (action, message) => {
  const failing = apply(sampleTree({ file: 'x' }), sampleTree({ f: 'x' }), action);
  await expect(failing).rejects.toThrow(message);
  await expect(failing).rejects.toMatchObject({ name: 'BuildError' });
});

test('a setgid directory gives its group to what is made in it', async () => {
  const base = sampleTree({ 'g/': { mode: 0o2775, gid: 50 } });
  const made = await apply(base, undefined, { type: 'mkdir', path: '/g/a/b', mode: 0o755, makeParents: true });
  expect(made).toEqual(['g dir 2775 0:50 @9000', 'g/a dir 2755 0:50 @9000', 'g/a/b dir 2755 0:50 @9000']);
});

test('mkfile writes through links and keeps the mode of what it overwrites', async () => {
  const base = sampleTree({ real: { data: 'old', mode: 0o600, uid: 3 }, l: { to: 'real' } });
  const action = { type: 'mkfile', path: '/l', mode: 0o755, data: Buffer.from('new').toString('base64') } as const;
  expect(await apply(base, undefined, action)).toEqual(['real file 600 3:0 @9000']);
  expect(await apply(base, undefined, { ...action, path: '/m' })).toEqual(['m file 755 0:0 @9000']);
  await expect(apply(base, undefined, { ...action, path: '/no/m' })).rejects.toThrow('open /no/m: no such file');
});

test('symlink and rm with wildcards', async () => {
  const base = sampleTree({ 'a1/': {}, 'a1/f': '', a2: '', b: '' });
  expect(await apply(base, undefined, { type: 'symlink', oldpath: '../x', newpath: '/n' })).toEqual([
    'n symlink 777 0:0 @9000 > ../x',
  ]);
  const rm = { type: 'rm', path: '/a*', allowNotFound: true, allowWildcard: true } as const;
  expect(await apply(base, undefined, rm)).toEqual(['- a1', '- a2']);
});

test('extended attributes of the source are kept', async () => {
  const xattrs = new Map([['security.capability', Buffer.from('01')]]);
  const source = sampleTree({ f: { data: 'x', xattrs } });
  const [set] = await plan([source], { input: -1, secondaryInput: 0, output: 0, action: copy('/f', '/f') });
  expect(set!.changes.get('f')).toMatchObject({ entry: { xattrs } });
});

test('an aborted plan stops', async () => {
  const failing = planFileOp([{ input: -1, secondaryInput: 0, output: 0, action: copy('/', '/') }], [empty], {
    now: 0,
    scratchDir,
    decompress: (bytes) => bytes,
    signal: AbortSignal.abort(),
  });
  await expect(failing).rejects.toThrow('aborted');
});

test('a block device comes out as a character device with the same numbers, as from BuildKit', async () => {
  const source = sampleTree({ b: { type: 'block' }, p: { type: 'fifo' } });
  Object.assign(source.change('b')!, { devMajor: 7, devMinor: 3 });
  const [set] = await plan([source], { input: -1, secondaryInput: 0, output: 0, action: copy('/', '/') });
  expect(set!.changes.get('b')).toMatchObject({ entry: { type: 'char', devMajor: 7, devMinor: 3 } });
  expect(set!.changes.get('p')).toMatchObject({ entry: { type: 'fifo' } });
});
