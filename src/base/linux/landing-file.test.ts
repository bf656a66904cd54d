import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { hasCode } from '../errors.js';
import { LandingFile } from './landing-file.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-landing-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let dir: string;
beforeEach(() => (dir = mkdtempSync(path.join(base, 'd'))));

test('has its name when it is whole, and not before', () => {
  const dest = path.join(dir, 'café');
  {
    using file = LandingFile.open(dest);
    writeSync(file.fd, 'all of it');
    // So nothing is left if the process is killed now; a file system without such files has a temporary name instead.
    expect(readdirSync(dir)).toEqual(hasUnnamedFiles(dir) ? [] : [expect.stringMatching(/^\.café\..*\.tmp$/)]);
    file.land();
  }
  expect(readFileSync(dest, 'utf8')).toBe('all of it');
  expect(statSync(dest).mode & 0o600).toBe(0o600);
  expect(readdirSync(dir)).toEqual(['café']);
});

test('takes the place of what is there, and leaves nothing when it is given up', () => {
  const dest = path.join(dir, 'out');
  writeFileSync(dest, 'old');
  {
    using file = LandingFile.open(dest);
    writeSync(file.fd, 'given up');
  }
  expect(readFileSync(dest, 'utf8')).toBe('old');
  {
    using file = LandingFile.open(dest);
    writeSync(file.fd, 'new');
    file.land();
  }
  expect(readFileSync(dest, 'utf8')).toBe('new');
  expect(readdirSync(dir)).toEqual(['out']);
});

test('a folder that is not there is an error of the system', () => {
  expect(() => LandingFile.open(path.join(dir, 'no/out'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

/** Whether the file system has files without a name (O_TMPFILE). */
function hasUnnamedFiles(dir: string): boolean {
  try {
    closeSync(openSync(dir, 0o20000000 | constants.O_DIRECTORY | constants.O_RDWR));
    return true;
  } catch (error) {
    if (hasCode(error, 'EOPNOTSUPP', 'EISDIR')) return false;
    throw error;
  }
}
