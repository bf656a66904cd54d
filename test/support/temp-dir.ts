import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hasCode } from '../../src/base/errors.js';

/** A new directory for one test. */
export function makeTempDir(name = 'test'): string {
  return mkdtempSync(path.join(tmpdir(), `slipway-${name}-`));
}

/** Removes it whole, also the trees in it that belong to the user's subordinate ids. */
export function removeTempDir(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'ENOTEMPTY')) throw error;
    execFileSync('unshare', ['--user', '--map-root-user', '--map-auto', 'rm', '-rf', '--', dir]);
  }
}
