import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FileAction } from '../../llb/types.js';
import type { Digest } from '../../oci/digest.js';
import { Store } from '../../store/store.js';
import { ContextViews } from '../context/context-views.js';
import type { PackedCopy } from '../layer-writer.js';
import { LocalMachine } from '../local-machine.js';
import type { ContentSelection, FileOpRequest } from '../machine.js';

const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-ahead-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
const COUNT = 4100;

const dir = path.join(base, 'context');
let count = 0;
beforeAll(() => {
  mkdirSync(path.join(dir, 'sub'), { recursive: true });
  for (let i = 0; i < COUNT; i++)
    writeFileSync(path.join(dir, i % 2 ? 'sub' : '', `f${i}`), `${'x'.repeat(i % 700)}${i}`);
  writeFileSync(path.join(dir, 'empty'), '');
  writeFileSync(path.join(dir, 'big'), Buffer.alloc(3_000_000, 'more than the packer holds at once'));
  symlinkSync('f0', path.join(dir, 'link'));
  linkSync(path.join(dir, 'f2'), path.join(dir, 'sub', 'also-f2'));
});

const action: FileAction = {
  input: -1,
  secondaryInput: 0,
  output: 0,
  action: {
    type: 'copy',
    src: '/',
    dest: '/files/',
    mode: -1,
    followSymlink: true,
    dirCopyContents: true,
    attemptUnpackDockerCompatibility: false,
    createDestPath: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
  },
};
const selection: ContentSelection = { paths: ['/'], followLinks: true, wildcard: true };
const made = { face: 'layer', isOfImage: true, description: 'COPY', now: 1_700_000_000_000 } as const;

interface Place {
  readonly store: Store;
  readonly contexts: ContextViews;
  readonly machine: LocalMachine;
  readonly request: FileOpRequest;
  digest(): Promise<Digest>;
}

/** What a build has that begins a minute after the files were written. */
async function place(
  root = path.join(base, `store-${count++}`),
  beginCopy?: () => Promise<PackedCopy>,
): Promise<Place> {
  const { store, lease } = await Store.open(root, opts);
  afterAll(() => lease.release());
  const contexts = new ContextViews(store.contexts, () => Date.now() + 60_000);
  const machine = new LocalMachine(store, undefined, { contexts, ...(beginCopy && { beginCopy }) });
  const input = { kind: 'context', name: 'c', dir, ignore: '' } as const;
  return {
    store,
    contexts,
    machine,
    request: { actions: [action], inputs: [input], ...made },
    digest: () => machine.contentDigest({ input, selection }, opts),
  };
}

async function diffIds(store: Store, refs: readonly (string | null)[]): Promise<readonly string[]> {
  return await Promise.all(refs.map(async (ref) => (await store.refs.layer(ref!))!.diffId));
}

function tempFiles({ paths, leaseId }: Store): readonly string[] {
  return readdirSync(paths.temp(leaseId));
}

test('what was packed ahead is what the op gives, and its digest the same; the next build knows the files', async () => {
  const ahead = await place();
  const begun = await ahead.machine.fileOpAhead(ahead.request, opts);
  const digest = await ahead.digest();
  const refs = await begun!.take();
  await ahead.contexts.remember();
  const usual = await place();
  expect(digest).toBe(await usual.digest());
  expect(await diffIds(ahead.store, refs)).toEqual(
    await diffIds(usual.store, await usual.machine.fileOp(usual.request, opts)),
  );
  expect(await ahead.store.refs.load(refs[0]!)).toMatchObject({ description: 'COPY', createdAt: made.now });
  expect(tempFiles(ahead.store)).toEqual([]);

  rmSync(path.join(dir, 'f0'));
  writeFileSync(path.join(dir, 'f0'), 'other');
  const next = await place(ahead.store.paths.root);
  expect(next.contexts.isNew({ name: 'c', dir, ignore: '' })).toBe(false);
  expect(await next.machine.fileOpAhead(next.request, opts)).toBeUndefined();
  expect(await next.digest()).not.toBe(digest);
});

test('a directory elsewhere, whose copy may be there already, is looked up first', async () => {
  const first = await place();
  await (await first.machine.fileOpAhead(first.request, opts))!.take();
  const second = await place(first.store.paths.root);
  expect(second.contexts.isNew({ name: 'c', dir, ignore: '' })).toBe(true);
  expect(await second.machine.fileOpAhead(second.request, opts)).toBeUndefined();
});

test('one that is dropped leaves nothing, nor what followed it', async () => {
  let abandoned = 0;
  const copy = { wrote: () => undefined, finish: async () => undefined, abandon: async () => void abandoned++ };
  writeFileSync(path.join(dir, 'large'), Buffer.alloc(16 * 1024 * 1024));
  const { machine, request, store } = await place(undefined, async () => copy);
  const begun = await machine.fileOpAhead(request, opts);
  expect(tempFiles(store)).toHaveLength(1);
  await begun!.drop();
  expect([tempFiles(store), abandoned]).toEqual([[], 1]);
});

test.each([
  ['changes its bytes', 'f8', (file: string) => writeFileSync(file, 'other bytes')],
  ['changes its time alone', 'f10', (file: string) => utimesSync(file, 1, 1)],
  ['goes', 'f12', (file: string) => rmSync(file)],
])('a file that %s after it was listed is told of as always', async (_, name, change) => {
  const { machine, request, contexts, digest, store } = await place();
  const view = contexts.view({ name: 'c', dir, ignore: '' });
  view.list('');
  change(path.join(dir, name));
  expect(await machine.fileOpAhead(request, opts)).toBeUndefined();
  expect(tempFiles(store)).toEqual([]);
  await expect(digest()).rejects.toThrow(`/${name}\` of the build context changed while it was read`);
});

test('cancellation is no fault that waits for its turn', async () => {
  const { machine, request } = await place();
  const reason = new Error('enough');
  await expect(machine.fileOpAhead(request, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('few files, archives that may be unpacked and other inputs are left to their turn', async () => {
  const { machine, request } = await place();
  const unpacking = { ...action, action: { ...action.action, attemptUnpackDockerCompatibility: true } } as FileAction;
  expect(await machine.fileOpAhead({ ...request, actions: [unpacking] }, opts)).toBeUndefined();
  const onRef = { ...request, inputs: [...request.inputs, { kind: 'ref', ref: null } as const] };
  expect(await machine.fileOpAhead(onRef, opts)).toBeUndefined();
  rmSync(path.join(dir, 'sub'), { recursive: true });
  expect(await machine.fileOpAhead(request, opts)).toBeUndefined();
});
