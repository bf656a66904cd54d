import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { fromText } from '../bytes.js';
import { bindMount, mount } from './mount.js';
import { unmountBelow } from './mounts-below.js';

const root = process.getuid?.() === 0;

test.skipIf(!root)('every mount below a directory goes, stacked and nested ones, and no other (needs root)', () => {
  const base = mkdtempSync(path.join(tmpdir(), 'slipway mönts-'));
  const kept = mkdtempSync(path.join(tmpdir(), 'slipway-kept-'));
  try {
    writeFileSync(`${kept}/file`, '');
    const dir = path.join(base, 'a \\040 b');
    for (const name of ['m', 'n', 'file-point']) mkdirSync(path.join(dir, name), { recursive: true });
    mkdirSync(`${dir}2`);
    const tmpfs = (at: string): void => mount({ source: 'none', target: fromText(at), type: 'tmpfs' });
    tmpfs(`${dir}/m`);
    mkdirSync(`${dir}/m/inner`);
    tmpfs(`${dir}/m/inner`);
    tmpfs(`${dir}/n`);
    bindMount(fromText(kept), fromText(`${dir}/n`), { nodev: true });
    tmpfs(`${dir}2`);
    writeFileSync(`${dir}2/here`, '');
    symlinkSync(base, `${kept}/link`);
    unmountBelow(fromText(`${kept}/link/a \\040 b`));
    expect(readdirSync(`${dir}/m`)).toEqual([]);
    expect(readdirSync(`${dir}/n`)).toEqual([]);
    expect(readdirSync(`${dir}2`)).toEqual(['here']);
    unmountBelow(fromText(`${dir}/missing`));
    unmountBelow(fromText(`${dir}2`));
    expect(readdirSync(`${dir}2`)).toEqual([]);
  } finally {
    unmountBelow(fromText(base));
    rmSync(base, { recursive: true });
    rmSync(kept, { recursive: true });
  }
});
