import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { fromText, toFsPath } from '../base/bytes.js';
import { removeOthers } from './remove-others.js';

test('what is not kept goes, at any depth; a link is removed, not what it leads to', () => {
  const base = mkdtempSync(path.join(os.tmpdir(), 'slipway-others-'));
  try {
    const dest = path.join(base, 'dest');
    for (const dir of ['outside', 'dest/kept/deep', 'dest/gone/deep'])
      mkdirSync(path.join(base, dir), { recursive: true });
    for (const file of ['outside/file', 'dest/kept/deep/a', 'dest/kept/b', 'dest/gone/deep/c', 'dest/d']) {
      writeFileSync(path.join(base, file), '');
    }
    writeFileSync(toFsPath(`${fromText(dest)}/caf\xe9`), '');
    symlinkSync('../outside', path.join(dest, 'link'));
    symlinkSync('../outside', path.join(dest, 'kept-link'));
    removeOthers(fromText(dest), ['kept', 'kept/deep', 'kept/deep/a', 'caf\xe9', 'kept-link']);
    expect(readdirSync(dest, { encoding: 'latin1' }).sort()).toEqual(['caf\xe9', 'kept', 'kept-link']);
    expect(readdirSync(path.join(dest, 'kept'), { recursive: true }).map(String).sort()).toEqual(['deep', 'deep/a']);
    expect(readdirSync(path.join(base, 'outside'))).toEqual(['file']);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
