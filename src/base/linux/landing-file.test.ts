import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
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
    expect(readdirSync(dir).filter((name) => !name.endsWith('.tmp'))).toEqual([]);
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

test('a process that is killed while it writes leaves nothing', (context) => {
  const probe = spawnSync(process.execPath, ['-e', PROBE, dir]);
  if (probe.status !== 0) context.skip('the file system has no files without a name');
  const killed = spawnSync(process.execPath, [
    '-e',
    `${PROBE}; fs.writeSync(fd, 'x'); process.kill(process.pid, 'SIGKILL')`,
    dir,
  ]);
  expect(killed.signal).toBe('SIGKILL');
  expect(readdirSync(dir)).toEqual([]);
});

/** What `LandingFile.open` asks of the kernel. */
const PROBE = `const fs = require('fs'); const fd = fs.openSync(process.argv[1], 0o20000000 | fs.constants.O_DIRECTORY | fs.constants.O_RDWR, 0o644)`;
