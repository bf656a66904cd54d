import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
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
import fc from 'fast-check';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../oci/digest.js';
import { ContextFiles } from '../../store/context-files.js';
import { holdsNothing } from '../../store/lease-file.js';
import { StorePaths } from '../../store/paths.js';
import type { Selection } from './content-digest.js';
import { decodeRecord, encodeRecord, type Memo } from './context-record.js';
import { ContextView } from './context-view.js';
import { ContextViews, type ContextInput } from './context-views.js';
import { KnownFilesWriter } from './known-files.js';

const { signal } = new AbortController();
const work = mkdtempSync(path.join(tmpdir(), 'slipway-memory-'));
afterAll(() => rmSync(work, { recursive: true }));
const probe = path.join(work, 'probe');
const ALL: Selection = { paths: ['/'], followLinks: true, wildcard: true };
const LATER = (): number => Date.now() + 60_000;

let dir: string;
let store: StorePaths;
beforeEach(() => {
  dir = mkdtempSync(path.join(work, 'c'));
  store = new StorePaths(mkdtempSync(path.join(work, 's')));
});

const at = (name: string): string => path.join(dir, name);
const files = (): ContextFiles => new ContextFiles(store, holdsNothing, 'write');

function input(ignore = ''): ContextInput {
  return { name: 'context', dir, ignore };
}

/** A build that begins when all that is there has been there for long. */
async function build(selection = ALL, { ignore = '', now = LATER } = {}): Promise<string> {
  const views = new ContextViews(files(), now);
  const digest = await views.contentDigest(input(ignore), selection, { signal });
  await views.remember();
  return digest;
}

async function afresh(selection = ALL, ignore = ''): Promise<string> {
  return await new ContextViews().contentDigest(input(ignore), selection, { signal });
}

function kept(): string | undefined {
  const [name] = existsSync(store.contexts) ? readdirSync(store.contexts) : [];
  return name && path.join(store.contexts, name);
}

/** Waits until a change gets another time than anything before. */
function tick(): void {
  writeFileSync(probe, '');
  const before = lstatSync(probe).ctimeMs;
  while (lstatSync(probe).ctimeMs === before) writeFileSync(probe, '');
}

/** As if an earlier build had found that `name` has these bytes. */
async function pretend(name: string, text: string): Promise<void> {
  const view = new ContextView(dir);
  const writer = new KnownFilesWriter();
  const listing = view.listing('')!;
  writer.add('', listing, new Map([[listing.indexOf(name), digestOf(text)]]));
  await files().write(input(), encodeRecord(new Map(), writer));
}

test('an unchanged file is not read again, and its bytes are compared when they are', async () => {
  writeFileSync(at('f'), 'one');
  await pretend('f', 'two');
  const views = new ContextViews(files(), LATER);
  const view = views.view(input());
  expect(view.contentDigest('f')).toBe(digestOf('two'));
  expect(view.knownDigests()).toEqual({ f: digestOf('two') });
  await expect(view.readFile('f', 100)).rejects.toMatchObject({ code: 'CONTEXT_INVALID' });
  await views.forget();
  expect(new ContextViews(files()).view(input()).contentDigest('f')).toBe(digestOf('one'));
});

test('what is found out after something was remembered is remembered as well', async () => {
  mkdirSync(at('d'));
  mkdirSync(at('e'));
  for (const name of ['d/f', 'e/g']) writeFileSync(at(name), name);
  const views = new ContextViews(files(), LATER);
  await views.contentDigest(input(), { ...ALL, paths: ['/d'] }, { signal });
  await views.remember();
  const first = files().read(input())!;
  await views.remember();
  expect(files().read(input())!.equals(first)).toBe(true);
  await views.contentDigest(input(), { ...ALL, paths: ['/e'] }, { signal });
  await views.remember();
  expect([...decodeRecord(files().read(input())!)!.memos.keys()].map((key) => JSON.parse(key).paths)).toEqual([
    ['/d'],
    ['/e'],
  ]);
  expect(new ContextViews(files()).view(input()).knownDigest('d/f')).toBe(digestOf('d/f'));
});

test('the digest of a selection is recalled where all that it was made from is as it was', async () => {
  mkdirSync(at('d/e'), { recursive: true });
  mkdirSync(at('other'));
  for (const name of ['d/f', 'd/e/g', 'other/h']) writeFileSync(at(name), name);
  const some = { ...ALL, paths: ['/d'] };
  const first = await build(some);
  const bytes = files().read(input())!;
  const record = decodeRecord(bytes)!;
  const [[selection, memo]] = [...record.memos] as unknown as [[string, Memo]];
  expect(memo).toMatchObject({
    extent: [
      { dir: 'd', deep: true },
      { dir: '', deep: false },
    ],
    digest: first,
  });
  const forged = new Map([[selection, { ...record.memos.get(selection)!, digest: digestOf('forged') }]]);
  const forge = async (): Promise<void> => await files().write(input(), encodeRecord(forged, new KnownFilesWriter()));
  await forge();
  writeFileSync(at('other/i'), 'elsewhere');
  utimesSync(at('d/e'), 1, 1);
  expect(await build(some)).toBe(digestOf('forged'));
  for (const change of [
    () => writeFileSync(at('d/e/new'), ''),
    () => chmodSync(at('d/e'), 0o700),
    () => symlinkSync('x', at('d/l')),
    () => (unlinkSync(at('d/l')), symlinkSync('y', at('d/l'))),
    () => renameSync(at('d'), at('z')),
  ]) {
    await forge();
    change();
    expect(await build(some).catch((error: Error) => error.message)).not.toBe(digestOf('forged'));
    if (existsSync(at('d'))) forged.set(selection, await memoOf(some));
  }
});

async function memoOf(selection: Selection): Promise<Memo> {
  await build(selection);
  const [[, memo]] = [...decodeRecord(files().read(input())!)!.memos] as unknown as [[string, Memo]];
  return { ...memo, digest: digestOf('forged') };
}

test('other bytes of the same size and time are found by the time of the change', async () => {
  writeFileSync(at('f'), 'one');
  utimesSync(at('f'), 1000, 1000);
  const before = await build();
  expect(kept()).toBeDefined();
  tick();
  writeFileSync(at('f'), 'two');
  utimesSync(at('f'), 1000, 1000);
  const after = await build();
  expect(after).not.toBe(before);
  expect(after).toBe(await afresh());
});

test('a file that may have been written in the same tick again is not remembered', async () => {
  writeFileSync(at('f'), 'one');
  await build(ALL, { now: Date.now });
  expect(kept()).toBeUndefined();
  utimesSync(at('f'), 4e9, 4e9); // its time lies in the future: nobody can say when it was written
  await build();
  expect(kept()).toBeUndefined();
  utimesSync(at('f'), 1, 1);
  await build();
  expect(kept()).toBeDefined();
});

test('what a build has not read of a context stays known, as long as it is there', async () => {
  for (const name of ['a', 'b', 'c']) {
    mkdirSync(at(name));
    writeFileSync(at(`${name}/f`), name);
  }
  await build();
  await build({ ...ALL, paths: ['/a'] });
  rmSync(at('c'), { recursive: true });
  mkdirSync(at('a/new'));
  writeFileSync(at('a/new/f'), 'new');
  await build({ ...ALL, paths: ['/a'] });
  const known = decodeRecord(files().read(input())!)!.files()!;
  expect([...known.dirs].sort()).toEqual(['a', 'a/new', 'b']);
});

test('a build that finds nothing new writes nothing', async () => {
  writeFileSync(at('f'), 'one');
  await build();
  utimesSync(kept()!, 1, 1);
  const isWritten = (): boolean => lstatSync(kept()!).mtimeMs !== 1000;
  await build();
  expect(isWritten()).toBe(false);
  await build({ ...ALL, paths: ['/f'] });
  expect(isWritten()).toBe(true);
});

test('each .dockerignore has a memory of its own', async () => {
  writeFileSync(at('a'), 'a');
  writeFileSync(at('b'), 'b');
  const all = await build();
  const without = await build(ALL, { ignore: 'b' });
  expect(without).not.toBe(all);
  expect([await build(), await build(ALL, { ignore: 'b' })]).toEqual([all, without]);
  expect(readdirSync(store.contexts).length).toBe(2);
});

test('a damaged memory is as good as none', async () => {
  mkdirSync(at('d'));
  for (const name of ['a', 'b', 'd/c']) writeFileSync(at(name), name);
  const right = await build();
  const whole = readFileSync(kept()!);
  const table = 3 * (5 * 8 + 32);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(2), async (pick, bits, how) => {
      const isInTable = how === 2; // which is asked for where something is new
      const place = isInTable ? whole.length - 1 - (pick % table) : pick % whole.length;
      const bytes = Buffer.from(whole);
      bytes[place]! ^= bits;
      writeFileSync(kept()!, how === 0 ? whole.subarray(0, place) : bytes);
      if (isInTable) writeFileSync(at('extra'), String(place));
      expect(await build()).toBe(isInTable ? await afresh() : right);
      rmSync(at('extra'), { force: true });
    }),
  );
});

test.skipIf(process.getuid?.() !== 0)('the memory of another user is not believed (needs root)', async () => {
  writeFileSync(at('f'), 'one');
  await pretend('f', 'two');
  chownSync(kept()!, 1234, 1234);
  expect(await build()).toBe(await afresh());
  expect(lstatSync(kept()!).uid).toBe(0);
});

test('builds at the same time do each other no harm', async () => {
  for (const name of ['a', 'b', 'c']) writeFileSync(at(name), name);
  const selections = ['/', '/a', '/b', '/c'].map((one) => ({ ...ALL, paths: [one] }));
  const right = await Promise.all(selections.map((one) => afresh(one)));
  for (let round = 0; round < 5; round++) {
    expect(await Promise.all(selections.map((one) => build(one)))).toEqual(right);
  }
});

const NAMES = ['a', 'b', 'd/a', 'd/b', 'd/e/a', 'd', 'd/e'] as const;
const name = fc.constantFrom(...NAMES);
const change = fc.oneof(
  fc.record({ do: fc.constant('write' as const), name, text: fc.constantFrom('x', 'y', 'longer') }),
  fc.record({ do: fc.constantFrom('remove' as const, 'chmod' as const, 'touch' as const, 'mkdir' as const), name }),
  fc.record({ do: fc.constantFrom('rename' as const, 'link' as const, 'symlink' as const), name, to: name }),
);

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(one: Change): void {
  const file = at(one.name);
  try {
    if (one.do === 'write') writeFileSync(file, one.text);
    else if (one.do === 'remove') rmSync(file, { recursive: true });
    else if (one.do === 'chmod') chmodSync(file, lstatSync(file).mode ^ 0o010);
    else if (one.do === 'touch') utimesSync(file, 5, 5);
    else if (!('to' in one)) mkdirSync(file);
    else if (one.do === 'rename') renameSync(file, at(one.to));
    else if (one.do === 'link') linkSync(file, at(one.to));
    else symlinkSync('a', at(one.to));
  } catch {
    return; // not everything can be done to everything
  }
}

test('whatever happens between builds, what is known gives the digests that a look at every byte gives', async () => {
  const selections = [ALL, { ...ALL, paths: ['/d'], excludePatterns: ['e'] }, { ...ALL, paths: ['/d/*'] }];
  const digestOfEach = async (of: (selection: Selection) => Promise<string>): Promise<readonly string[]> =>
    await Promise.all(selections.map((one) => of(one).catch((error: Error) => error.message)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 6 }), async (rounds) => {
      dir = mkdtempSync(path.join(work, 'p'));
      mkdirSync(at('d/e'), { recursive: true });
      for (const changes of rounds) {
        for (const one of changes) apply(one);
        expect(await digestOfEach(build)).toEqual(await digestOfEach(afresh));
        tick();
      }
    }),
    { numRuns: 30 },
  );
});
