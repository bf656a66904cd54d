import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { Seeded } from '../support/seeded.js';
import type { RunningSlipway } from '../support/slipway.js';
import { test } from '../support/workspace.js';

const BUILDS = 8;
const FILES = 300;

/** What a file holds in its nth version: told apart by every byte, and of another size each time. */
const version = (n: number): string => String.fromCharCode(97 + (n % 26)).repeat(4000 + (n % 26));

describe('a context that changes while it is built', () => {
  test('gives an image of whole files, or an error that names one; the store is intact', async ({ work }) => {
    const random = new Seeded(7);
    const names = Array.from({ length: FILES }, (_, i) => `d${i % 9}/f${i}`);
    work.write(Object.fromEntries(names.map((name) => [name, version(0)])));
    work.dockerfile(
      'FROM busybox AS run\nCOPY . /a\nRUN ls -R /a > /list\nFROM scratch\nCOPY . /a\nCOPY --from=run /a /b\n',
    );
    let failed = 0;
    for (let i = 0; i < BUILDS; i++) {
      const running = work.startBuild(['--no-cache']);
      await disturb(running, work.context, names, random);
      const { code, stderr, stdout } = await running.ended;
      if (code !== 0) {
        failed++;
        expect(code, stderr).toBe(1);
        expect(stderr).toMatch(/`[^`]+` (of the build context )?(changed|vanished) while it was (read|copied)/);
        expect(stderr).not.toMatch(/\n\s+at .*\.js:\d+/); // no bug
        continue;
      }
      expect(stdout).toMatch(/^sha256:/);
    }
    expect(failed).toBeGreaterThan(0);
    const quiet = await work.build();
    for (const [name, { type, content }] of quiet.tree) {
      if (type === 'file' && /^[ab]\/d/.test(name)) expect(new Set(content.toString()).size, name).toBe(1);
    }
    expect(quiet.text('a/d1/f1')).toBe(quiet.text('b/d1/f1'));
    expect(await layoutFaults(work.root)).toEqual([]);
    expect((await work.run(['fsck'])).code).toBe(0);
  });
});

/** Writes, replaces and removes files until the build has ended, and leaves every file there. */
async function disturb(running: RunningSlipway, dir: string, names: readonly string[], random: Seeded): Promise<void> {
  for (let n = 1; running.child.exitCode === null; n++) {
    const file = path.join(dir, random.of(names));
    if (random.chance(0.2)) rmSync(file, { force: true });
    else if (random.chance(0.5)) writeFileSync(file, version(n));
    else {
      writeFileSync(`${file}.new`, version(n));
      renameSync(`${file}.new`, file);
    }
    await turn();
  }
  for (const name of names) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), version(0));
  }
}

describe('a clock that goes backwards', () => {
  test('harms neither the cache nor the store', async ({ work }) => {
    const shift = work.path('shift.mjs');
    writeFileSync(
      shift,
      `const now = Date.now.bind(Date);
Date.now = () => now() + Number(process.env.SHIFT_MS);
`,
    );
    const at = (days: number): { readonly env: Readonly<Record<string, string>> } => ({
      env: { NODE_OPTIONS: `--import=${pathToFileURL(shift).href}`, SHIFT_MS: String(days * 86_400_000) },
    });
    work.write({ f: '1' });
    work.dockerfile('FROM busybox\nRUN echo a > /a\nCOPY f /f\n');
    const future = await work.build([], at(400));
    const created = Date.parse(future.image.config.created!);
    expect(created, 'the clock was ahead').toBeGreaterThan(Date.now() + 300 * 86_400_000);

    const now = await work.build([], at(0));
    expect(now.ran).toEqual([]);
    expect(now.diffIds).toEqual(future.diffIds);

    work.write({ f: '2' });
    const past = await work.build([], at(-400));
    expect(past.ran).toEqual(['COPY f /f']);
    expect(past.text('f')).toBe('2');
    for (const days of [400, -400]) {
      const pruned = await work.run(['prune', '--force', '--filter', 'until=24h'], at(days));
      expect(pruned.code, pruned.output).toBe(0);
      expect((await work.run(['fsck'], at(-days))).code).toBe(0);
    }
    const again = await work.build([], at(-800));
    expect(again.text('f')).toBe('2');
    expect(await layoutFaults(work.root)).toEqual([]);
  });
});
