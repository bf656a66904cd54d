import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampleTree, type SampleFile } from '../file-op/sample-tree.js';
import { contentDigest, type Selection } from './content-digest.js';

const { signal } = new AbortController();

async function digest(
  files: Readonly<Record<string, SampleFile | string>>,
  selection: Partial<Selection> & Pick<Selection, 'paths'>,
): Promise<string> {
  return contentDigest(sampleTree(files), { followLinks: true, wildcard: true, ...selection }, { signal });
}

interface Sample {
  readonly name: string;
  readonly data: string;
  readonly mode: number;
  readonly uid: number;
  readonly mtime: number;
}

const name = fc.constantFrom('a', 'b', 'c', 'a-b', 'é', '"q"');
const sample: fc.Arbitrary<Sample> = fc.record({
  name,
  data: fc.string({ maxLength: 4 }),
  mode: fc.constantFrom(0o644, 0o755, 0o4755),
  uid: fc.nat(3),
  mtime: fc.nat(9),
});
const samples = fc.uniqueArray(sample, { selector: (one) => one.name, minLength: 1, maxLength: 4 });

function tree(root: string, files: readonly Sample[]): Record<string, SampleFile> {
  const made: Record<string, SampleFile> = { [`${root}/`]: {}, [`${root}/sub/`]: {} };
  for (const [i, { name: one, ...file }] of files.entries()) made[`${root}/${i % 2 ? 'sub/' : ''}${one}`] = file;
  return made;
}

test('moved or touched is the same, whatever the order in which it was made', async () => {
  await fc.assert(
    fc.asyncProperty(samples, fc.nat(99), async (files, mtime) => {
      const here = await digest(tree('here', files), { paths: ['/here'] });
      const touched = Object.fromEntries(
        Object.entries(tree('there', files)).map(([at, file]) => [at, { ...file, mtime }]),
      );
      expect(await digest({ ...touched, other: 'x' }, { paths: ['/there'] })).toBe(here);
    }),
  );
});

test('different content, mode, owner, name or type is different', async () => {
  await fc.assert(
    fc.asyncProperty(samples, fc.nat(), fc.nat(6), async (files, pick, what) => {
      const at = pick % files.length;
      const one = files[at]!;
      const changed: Record<string, SampleFile> = tree('d', files);
      const key = Object.keys(changed)[2 + at]!;
      const { [key]: file, ...rest } = changed;
      const others: (() => Record<string, SampleFile>)[] = [
        () => ({ ...changed, [key]: { ...file, data: `${one.data}.` } }),
        () => ({ ...changed, [key]: { ...file, mode: one.mode ^ 0o1 } }),
        () => ({ ...changed, [key]: { ...file, uid: one.uid + 1 } }),
        () => ({ ...changed, [key]: { ...file, gid: 1 } }),
        () => ({ ...rest, [`${key}~`]: file! }),
        () => ({ ...changed, [key]: { to: one.data } }),
        () => rest,
      ];
      const before = await digest(changed, { paths: ['/d'] });
      expect(await digest(others[what]!(), { paths: ['/d'] })).not.toBe(before);
    }),
  );
});

const base = { 'd/': {}, 'd/f': 'x', 'd/g': 'y', 'e/': {}, 'e/h': 'z', l: { to: 'd' }, top: 'x' } as const;

test('directories count with their own mode unless only their contents are named', async () => {
  const other = { ...base, 'd/': { mode: 0o700 } };
  expect(await digest(other, { paths: ['/d'] })).not.toBe(await digest(base, { paths: ['/d'] }));
  for (const one of ['/d/', '/d/.']) {
    expect(await digest(other, { paths: [one] })).toBe(await digest(base, { paths: [one] }));
  }
});

test('empty directories, and which directory a file is in, count', async () => {
  const paths = ['/'];
  const moved = { 'd/': {}, 'd/f': 'x', 'e/': {}, 'e/g': 'y', 'e/h': 'z', l: { to: 'd' }, top: 'x' };
  const digests = [base, moved, { ...base, 'n/': {} }, { ...base, 'd/s/': {} }].map((one) => digest(one, { paths }));
  expect(new Set(await Promise.all(digests)).size).toBe(4);
});

test('links are followed where a copy follows them', async () => {
  expect(await digest(base, { paths: ['/l'] })).toBe(await digest(base, { paths: ['/d'] }));
  expect(await digest(base, { paths: ['/l/f'] })).toBe(await digest(base, { paths: ['/d/f'] }));
  const kept = await digest(base, { paths: ['/l'], followLinks: false });
  expect(kept).not.toBe(await digest(base, { paths: ['/l'] }));
  expect(await digest({ ...base, l: { to: 'e' } }, { paths: ['/l'], followLinks: false })).not.toBe(kept);
});

test('a wildcard counts the names that it finds, and only what it finds', async () => {
  const before = await digest(base, { paths: ['/d/*'] });
  expect(await digest({ ...base, 'e/i': 'new' }, { paths: ['/d/*'] })).toBe(before);
  expect(await digest({ ...base, 'd/new': '' }, { paths: ['/d/*'] })).not.toBe(before);
  expect(await digest({ 'd/': {}, 'd/f': 'x', 'd/h': 'y' }, { paths: ['/d/*'] })).not.toBe(before);
  expect(await digest(base, { paths: ['/no*'] })).toBe(await digest({}, { paths: ['/no*'] }));
});

test('patterns leave out what a copy leaves out', async () => {
  const excludePatterns = ['*', '!d/f'];
  const before = await digest(base, { paths: ['/'], excludePatterns });
  expect(await digest({ ...base, 'd/g': 'changed', top: 'changed' }, { paths: ['/'], excludePatterns })).toBe(before);
  expect(await digest({ ...base, 'd/f': 'changed' }, { paths: ['/'], excludePatterns })).not.toBe(before);
  expect(await digest({ ...base, 'd/': { mode: 0o700 } }, { paths: ['/'], excludePatterns })).not.toBe(before);
  const included = await digest(base, { paths: ['/'], includePatterns: ['e/h'] });
  expect(await digest({ ...base, 'd/f': 'changed' }, { paths: ['/'], includePatterns: ['e/h'] })).toBe(included);
});

test('which names are one file counts, names outside do not', async () => {
  const linked = { 'd/': {}, 'd/f': 'x', 'd/g': { sameAs: 'd/f' }, o: { sameAs: 'd/f' } };
  const apart = { 'd/': {}, 'd/f': 'x', 'd/g': 'x' };
  expect(await digest(linked, { paths: ['/d'] })).not.toBe(await digest(apart, { paths: ['/d'] }));
  const toFirst = { a: 'x', b: 'x', c: { sameAs: 'a' }, d: { sameAs: 'b' } };
  const toSecond = { a: 'x', b: 'x', c: { sameAs: 'b' }, d: { sameAs: 'a' } };
  expect(await digest(toFirst, { paths: ['/'] })).not.toBe(await digest(toSecond, { paths: ['/'] }));
  expect(await digest(linked, { paths: ['/o'] })).toBe(await digest(apart, { paths: ['/d/f'] }));
});

test('only the capability of the extended attributes counts', async () => {
  const withXattr = (key: string): Record<string, SampleFile> => ({
    f: { data: 'x', xattrs: new Map([[key, Buffer.from('v')]]) },
  });
  const plain = await digest({ f: 'x' }, { paths: ['/f'] });
  expect(await digest(withXattr('user.a'), { paths: ['/f'] })).toBe(plain);
  expect(await digest(withXattr('security.selinux'), { paths: ['/f'] })).toBe(plain);
  expect(await digest(withXattr('security.capability'), { paths: ['/f'] })).not.toBe(plain);
});

test('what is missing is said in the words of BuildKit', async () => {
  await expect(digest(base, { paths: ['/d/no'] })).rejects.toThrow('"/d/no": not found');
  const includePatterns = ['d/no', 'e'];
  const paths = ['/'];
  await expect(digest(base, { paths, includePatterns, requiredPaths: ['/e', '/d/no'] })).rejects.toThrow(
    '"/d/no": not found',
  );
  await expect(digest(base, { paths, includePatterns, requiredPaths: ['/e'] })).resolves.toMatch(/^sha256:/);
});

test('where patterns select, a path that is not there counts as nothing', async () => {
  const without = await digest({ 'd/': {}, 'd/a': 'x' }, { paths: ['/d/no'], excludePatterns: ['y'] });
  expect(await digest({ 'd/': {}, 'd/b': 'z' }, { paths: ['/d/no'], excludePatterns: ['y'] })).toBe(without);
  expect(await digest({ 'd/': {}, 'd/no': 'z' }, { paths: ['/d/no'], excludePatterns: ['y'] })).not.toBe(without);
});
