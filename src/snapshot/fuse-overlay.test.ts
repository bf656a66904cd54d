import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { FuseMount } from './fuse-overlay.js';

const PROGRAM = '/usr/bin/fuse-overlayfs';
const able = process.getuid?.() === 0 && existsSync(PROGRAM) && existsSync('/dev/fuse');
const dir = mkdtempSync(path.join(tmpdir(), 'slipway-füse-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const opts = { signal: new AbortController().signal };

function place(name: string): { lowers: string[]; target: string; changes: { upper: string; work: string } } {
  for (const one of ['l', 'u', 'w', 'm']) mkdirSync(path.join(dir, name, one), { recursive: true });
  writeFileSync(path.join(dir, name, 'l/f'), 'below');
  return { lowers: [`${name}/l`], target: `${name}/m`, changes: { upper: `${name}/u`, work: `${name}/w` } };
}

describe.skipIf(!able)('mounts that fuse-overlayfs serves (need root and the program)', () => {
  test('what was written is in the upper directory when the mount has gone', async () => {
    const at = place('a');
    const mount = await FuseMount.open(PROGRAM, dir, at, opts);
    writeFileSync(path.join(dir, 'a/m/f'), 'changed');
    await mount.finish(opts);
    expect(readFileSync(path.join(dir, 'a/u/f'), 'utf8')).toBe('changed');
    expect(readFileSync(path.join(dir, 'a/l/f'), 'utf8')).toBe('below');
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('/a/m');
  });

  test('a program that dies is told of, and nothing can be read in its place', async () => {
    const mount = await FuseMount.open(PROGRAM, dir, place('b'), opts);
    try {
      const pid = execFileSync('pgrep', ['-P', String(process.pid), '-f', ' b/m$'], {
        encoding: 'utf8',
      }).trim();
      process.kill(Number(pid), 'SIGKILL');
      await vi.waitFor(() => expect(() => mount.check()).toThrow('`fuse-overlayfs` ended with SIGKILL'));
      expect(() => readFileSync(path.join(dir, 'b/m/f'))).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
      await expect(mount.finish(opts)).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    } finally {
      mount.drop();
    }
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('/b/m');
  });

  test('no mount is an error in its words, and leaves none', async () => {
    const at = place('c');
    const wrong = { ...at, lowers: ['c/none'] };
    await expect(FuseMount.open(PROGRAM, dir, wrong, opts)).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      message: expect.stringContaining('lower'),
    });
    await expect(FuseMount.open(`${PROGRAM}-none`, dir, at, opts)).rejects.toThrow('ENOENT');
    await expect(FuseMount.open(PROGRAM, dir, at, { signal: AbortSignal.abort() })).rejects.toThrow('abort');
    expect(statSync(path.join(dir, 'c/m')).dev).toBe(statSync(dir).dev);
  });
});
