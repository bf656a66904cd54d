import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { lutimesNs, mknod } from '../base/linux/inode.js';
import { breakLinks } from './break-links.js';
import { copyTree } from './copy-tree.js';
import { takeInventory } from './inventory.js';
import { diffInventory, type InventoryDiffOptions } from './inventory-diff.js';
import { diffUpper } from './overlay-diff.js';
import { mountActive, mountView, unmountTree } from './overlay.js';
import {
  allNames,
  change,
  choose,
  COPYING,
  doChange,
  making,
  type ScriptedChange,
} from './scripted-changes.fixture.js';
import { TreeView } from './tree-view.js';
import type { Change } from './types.js';

const root = process.getuid?.() === 0;
const base = mkdtempSync(path.join(tmpdir(), 'slipway-inventory-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
let count = 0;

/** The same steps done in stacked overlays and, one after the other, in a plain copy of the lowest tree. */
class TwoTrees {
  readonly dir = path.join(base, String(count++));
  readonly plain = `${this.dir}/plain`;
  readonly #lowers = ['l0'];
  #inventory;

  constructor(start: readonly ScriptedChange[]) {
    for (const name of ['l0', 'm', 'v', 'plain']) mkdirSync(path.join(this.dir, name), { recursive: true });
    const lower = `${this.dir}/l0`;
    for (const one of start) doChange(lower, one);
    // like files of an archive, and like those of a step before
    allNames(lower).forEach((name, i) => lutimesNs(`${lower}/${name}`, 0n, 1_000_000_000_000_000_000n + BigInt(i % 2)));
    copyTree(lower, this.plain, opts);
    this.#inventory = takeInventory(this.plain, opts);
  }

  /** What either says of a step. */
  async step(script: readonly ScriptedChange[]): Promise<readonly [overlay: unknown, plain: unknown]> {
    breakLinks(this.plain, this.#inventory, opts);
    const number = this.#lowers.length;
    const [upper, work] = [`u${number}`, `w${number}`];
    for (const name of [upper, work]) mkdirSync(path.join(this.dir, name));
    mountActive(this.#lowers, upper, work, 'm', { ...this.#options, volatile: true });
    try {
      const allowed = withoutCopiedLinks(`${this.dir}/m`, script);
      const said = [`${this.dir}/m`, this.plain].map((at) => {
        const started = BigInt(Date.now() - 1000) * 1_000_000n;
        const answers = allowed(at);
        sameTimes(at, started, BigInt(1_500_000_000 + number));
        return answers;
      });
      expect(said[1]).toEqual(said[0]);
    } finally {
      unmountTree(`${this.dir}/m`);
    }
    mountView(this.#lowers, 'v', this.#options);
    try {
      const overlay = await diffUpper(`${this.dir}/${upper}`, new TreeView(`${this.dir}/v`), opts);
      const digestBefore = (file: ByteString): string => digestOf(`${this.dir}/v/${file}`);
      const { changes, after } = await diffInventory(this.plain, this.#inventory, { ...opts, digestBefore });
      this.#inventory = after;
      return [overlay.map(told), changes.map(told)];
    } finally {
      unmountTree(`${this.dir}/v`);
      this.#lowers.push(upper);
    }
  }

  get #options(): { readonly dir: string; readonly userxattr: boolean } {
    return { dir: this.dir, userxattr: false };
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Does a script, but for copies of directories of which several names were one file when the step began. */
function withoutCopiedLinks(mounted: ByteString, script: readonly ScriptedChange[]) {
  const linked = allNames(mounted).filter((name) => lstatSync(toFsPath(`${mounted}/${name}`)).nlink > 1);
  return (at: ByteString): readonly string[] =>
    script.map((one) => {
      const dir = choose(at, one.path);
      const isAbove = (name: ByteString): boolean => name.startsWith(`${dir}/`);
      return COPYING.includes(one.verb) && linked.some(isAbove) ? 'left out' : doChange(at, one);
    });
}

/** What the step wrote gets one time, so that the two can be compared. */
function sameTimes(at: ByteString, started: bigint, seconds: bigint): void {
  for (const name of allNames(at)) {
    const { mtimeNs } = lstatSync(toFsPath(`${at}/${name}`), { bigint: true });
    if (mtimeNs >= started) lutimesNs(`${at}/${name}`, 0n, seconds * 1_000_000_000n + 500n);
  }
}

function told(one: Change): unknown {
  if (one.kind === 'removed') return one;
  const { inode: _, ...entry } = one.entry;
  return { ...entry, ...(entry.type === 'file' && { content: digestOf(one.contentPath) }) };
}

function digestOf(file: ByteString): string {
  return sha256(readFileSync(toFsPath(file)));
}

function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

describe.skipIf(!root)('beside an overlay (needs root)', () => {
  test('steps in place have the same changes as in overlays', { timeout: 240_000 }, async () => {
    const start = fc.array(making, { minLength: 20, maxLength: 50 });
    const script = fc.array(change, { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(start, script, script, script, async (before, ...steps) => {
        using trees = new TwoTrees(before);
        for (const step of steps) {
          const [overlay, plain] = await trees.step(step);
          expect(plain).toEqual(overlay);
        }
      }),
      { numRuns: 80, endOnFailure: true },
    );
  });
});

/** A tree of one's own, changed in place; gives what the comparison says. */
async function changesOf(
  make: (at: string) => void,
  change: (at: string) => void,
  options: Partial<InventoryDiffOptions> = {},
): Promise<readonly string[]> {
  const at = path.join(base, String(count++));
  mkdirSync(at);
  make(at);
  const before = takeInventory(at, opts);
  change(at);
  const digestBefore = (): string => sha256('before');
  const { changes } = await diffInventory(at, before, { ...opts, digestBefore, ...options });
  return changes.map((one) => (one.kind === 'removed' ? `-${one.path}` : `${one.entry.type} ${one.entry.path}`));
}

const wholeSecond = (file: string): void => lutimesNs(file, 0n, 1_000_000_000_000_000_000n);

test('content decides where the time has no part of a second, also within one tick of the clock', async () => {
  const make = (at: string): void => {
    writeFileSync(`${at}/f`, 'before');
    wholeSecond(`${at}/f`);
  };
  const rewrite = (content: string) => (at: string) => {
    writeFileSync(`${at}/f`, content);
    wholeSecond(`${at}/f`);
  };
  expect(await changesOf(make, rewrite('before'))).toEqual([]);
  expect(await changesOf(make, rewrite('BEFORE'))).toEqual(['file f']);
});

test('a directory that is made anew loses what could not be made as well, and one that stays does not', async () => {
  const unmade = new Set(['d/null', 'd/sub/zero', 'd/then']);
  const make = (at: string): void => mkdirSync(`${at}/d`);
  const touch = (at: string): void => writeFileSync(`${at}/d/new`, '');
  expect(await changesOf(make, touch, { unmade })).toEqual(['dir d', 'file d/new']);
  const anew = (at: string): void => {
    mkdirSync(`${at}/e`);
    renameSync(`${at}/e`, `${at}/d`);
    writeFileSync(`${at}/d/new`, '');
  };
  expect(await changesOf(make, anew, { unmade })).toEqual(['dir d', 'file d/new', '-d/null', '-d/then']);
  // a file system may give the new one the same inode
  const again = (at: string): void => {
    rmSync(`${at}/d`, { recursive: true });
    mkdirSync(`${at}/d`);
    writeFileSync(`${at}/d/new`, '');
  };
  expect(await changesOf(make, again, { unmade })).toEqual(['dir d', 'file d/new', '-d/null', '-d/then']);
});

test('a socket is in no layer: it comes and goes unseen, and with its directory it is gone', async () => {
  const make = (at: string): void => {
    mkdirSync(`${at}/d`);
    mknod(`${at}/d/s`, 'socket', 0o600);
  };
  expect(await changesOf(() => undefined, make)).toEqual(['dir d']);
  expect(await changesOf(make, (at) => rmSync(`${at}/d/s`))).toEqual([]);
  expect(await changesOf(make, (at) => rmSync(`${at}/d`, { recursive: true }))).toEqual(['-d']);
});

test('what is unchanged by inode and time is not looked at', async () => {
  const make = (at: string): void => {
    writeFileSync(`${at}/f`, 'x');
    wholeSecond(`${at}/f`);
  };
  const ask = (): never => {
    throw new Error('asked for the content');
  };
  await expect(changesOf(make, () => undefined, { digestBefore: ask })).rejects.toThrow('asked');
  const settle = (at: string): void => {
    make(at);
    const until = Date.now() + 150;
    while (Date.now() < until) lstatSync(at);
  };
  expect(await changesOf(settle, () => undefined, { digestBefore: ask })).toEqual([]);
});
