import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { lutimesNs } from '../base/linux/inode.js';
import { copyTree } from './copy-tree.js';
import { FuseMount } from './fuse-overlay.js';
import { settleUpper, timesSeen, type SeenTimes, type SettleOptions } from './fuse-upper.js';
import { diffUpper } from './overlay-diff.js';
import { mountActive, mountView, unmountTree } from './overlay.js';
import { partLinks } from './part-links.js';
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

const PROGRAM = '/usr/bin/fuse-overlayfs';
const able = process.getuid?.() === 0 && existsSync(PROGRAM) && existsSync('/dev/fuse');
const base = mkdtempSync(path.join(tmpdir(), 'slipway-fuse-diff-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };
let count = 0;

/** The same steps done in trees that the kernel stacks, and in trees that fuse-overlayfs stacks. */
class TwoStacks {
  readonly dir = path.join(base, String(count++));
  readonly #options = { dir: this.dir, userxattr: false };
  #steps = 0;

  constructor(start: readonly ScriptedChange[]) {
    for (const name of ['k0', 'f0', 'km', 'fm']) mkdirSync(path.join(this.dir, name), { recursive: true });
    const lower = `${this.dir}/k0`;
    for (const one of start) doChange(lower, one);
    // like files of an archive, and like those of a step before
    allNames(lower).forEach((name, i) => lutimesNs(`${lower}/${name}`, 0n, 1_000_000_000_000_000_000n + BigInt(i % 2)));
    copyTree(lower, `${this.dir}/f0`, opts);
    partLinks(`${this.dir}/f0`, opts);
  }

  /** What either says of a step. */
  async step(
    script: readonly ScriptedChange[],
  ): Promise<readonly [kernel: readonly unknown[], fuse: readonly unknown[]]> {
    const below = Array.from({ length: this.#steps + 1 }, (_, i) => i);
    const number = ++this.#steps;
    for (const name of ['k', 'kw', 'f', 'fw']) mkdirSync(path.join(this.dir, `${name}${number}`));
    const kernel = below.map((i) => `k${i}`);
    const fuse = below.map((i) => `f${i}`);
    mountActive(kernel, `k${number}`, `kw${number}`, 'km', this.#options);
    const changes = { upper: `f${number}`, work: `fw${number}` };
    const since = lstatSync(`${this.dir}/${changes.upper}`, { bigint: true }).mtimeNs;
    const mount = await FuseMount.open(PROGRAM, this.dir, { lowers: fuse, target: 'fm', changes }, opts);
    let seen: SeenTimes;
    try {
      const allowed = withoutCopiedLinks(`${this.dir}/km`, script);
      const said = ['km', 'fm'].map((at) => allowed(`${this.dir}/${at}`));
      expect(said[1]).toEqual(said[0]);
      seen = timesSeen(`${this.dir}/${changes.upper}`, `${this.dir}/fm`, since, opts);
      await mount.finish(opts);
    } finally {
      unmountTree(`${this.dir}/km`);
      mount.drop();
    }
    return [await this.#kernelChanges(kernel, number), await this.#fuseChanges(fuse, number, { seen, since })];
  }

  async #kernelChanges(lowers: readonly string[], number: number): Promise<readonly unknown[]> {
    mountView(lowers, 'km', this.#options);
    try {
      return (await diffUpper(`${this.dir}/k${number}`, new TreeView(`${this.dir}/km`), opts)).map(told);
    } finally {
      unmountTree(`${this.dir}/km`);
    }
  }

  async #fuseChanges(
    lowers: readonly string[],
    number: number,
    times: Omit<SettleOptions, 'signal'>,
  ): Promise<readonly unknown[]> {
    const mount = await FuseMount.open(PROGRAM, this.dir, { lowers, target: 'fm' }, opts);
    try {
      const upper = `${this.dir}/f${number}`;
      const view = new TreeView(`${this.dir}/fm`);
      settleUpper(upper, view, { ...times, ...opts });
      const changes = (await diffUpper(upper, view, { ...opts, marks: 'names' })).map(told);
      partLinks(upper, opts);
      return changes;
    } finally {
      mount.drop();
    }
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
      if (COPYING.includes(one.verb) && linked.some(isAbove)) return 'left out';
      return isLink(`${at}/${dir}`) && !OF_LINKS.includes(one.verb) ? 'left out' : doChange(at, one);
    });
}

/** What a link of below goes through and keeps its owner and time. */
const OF_LINKS = ['unlink', 'removeTree', 'removeAndMake', 'chown'];

function isLink(at: ByteString): boolean {
  return lstatSync(toFsPath(at), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/** Without the times that the steps themselves gave, which are no two times the same. */
function told(one: Change): unknown {
  if (one.kind === 'removed') return one;
  const { inode: _, mtimeNanoseconds, mtime, ...entry } = one.entry;
  const time = mtime >= 1_600_000_000 ? 'now' : `${mtime} ${mtimeNanoseconds}`;
  const content =
    entry.type === 'file' &&
    createHash('sha256')
      .update(readFileSync(toFsPath(one.contentPath)))
      .digest('hex');
  return { ...entry, ...(entry.type === 'dir' ? {} : { time }), content };
}

/** fuse-overlayfs opens what it copies up, and devices and pipes are no files: it says so to who wants to change one. */
function isCommon({ verb }: ScriptedChange): boolean {
  return !['device', 'fifo', 'socket'].includes(verb);
}

describe.skipIf(!able)('beside an overlay (needs root and fuse-overlayfs)', () => {
  test('steps have the same changes in either', { timeout: 240_000 }, async () => {
    const start = fc.array(making.filter(isCommon), { minLength: 20, maxLength: 50 });
    const script = fc.array(change.filter(isCommon), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(start, script, script, script, async (before, ...steps) => {
        using stacks = new TwoStacks(before);
        for (const step of steps) {
          const [kernel, fuse] = await stacks.step(step);
          expect(fuse).toEqual(kernel);
        }
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});
