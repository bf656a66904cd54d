import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test as anyTest } from 'vitest';
import { Store } from './store.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-planted-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
const OTHER = 54_321;
const test = anyTest.skipIf(process.getuid?.() !== 0); // owners

function makeParent(mode: number): string {
  const dir = mkdtempSync(path.join(base, 'd'));
  chmodSync(dir, mode);
  return dir;
}

test('a store, or a link to one, of somebody else where anybody may put one is not used, nor read', async () => {
  const parent = makeParent(0o1777);
  const [planted, link] = [path.join(parent, 'store'), path.join(parent, 'link')];
  mkdirSync(planted);
  chownSync(planted, OTHER, OTHER);
  symlinkSync(makeParent(0o700), link);
  lchownSync(link, OTHER, OTHER);
  for (const root of [planted, link]) {
    await expect(Store.open(root, opts)).rejects.toMatchObject({ code: 'STORE_INVALID' });
    await expect(Store.openToRead(root, opts)).rejects.toMatchObject({ code: 'STORE_INVALID' });
  }
});

test('what is in a place of its own is used, whosever it is, and so is the first one in a shared place', async () => {
  const own = path.join(makeParent(0o755), 'store');
  mkdirSync(own);
  chownSync(own, OTHER, OTHER);
  for (const root of [own, path.join(makeParent(0o1777), 'store')]) {
    for (let again = 0; again < 2; again++) await (await Store.open(root, opts)).lease.release();
  }
});

anyTest('a store with a link in the place of a folder is not used: behind it nothing is its own', async () => {
  for (const name of ['trees', 'blobs', 'tmp', 'work', 'mounts']) {
    const root = path.join(makeParent(0o700), 'store');
    await (await Store.open(root, opts)).lease.release();
    rmSync(path.join(root, name), { recursive: true });
    symlinkSync(makeParent(0o700), path.join(root, name));
    await expect(Store.open(root, opts), name).rejects.toMatchObject({ code: 'STORE_INVALID' });
  }
});
