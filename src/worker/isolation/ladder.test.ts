import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { firstRange } from './id-maps.js';
import { RUNGS, chooseRung, type IsolationReport } from './ladder.js';
import { probeIsolation, probeKey } from './probe.js';
import { findPrograms } from './programs.js';
import { workerLaunch } from './launch.js';

const dir = mkdtempSync(path.join(tmpdir(), 'slipway-ladder-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const report = (available: readonly string[]): IsolationReport => ({
  key: '',
  rungs: RUNGS.map(({ name }) => ({
    name,
    available: available.includes(name),
    reason: `about ${name}`,
    ...(available.includes(name) ? { trees: 'overlay' as const } : {}),
    ...(name === 'userns' ? { hint: 'do this' } : {}),
  })),
});

test('the best rung is taken unless one is asked for', () => {
  expect(chooseRung(report(['root', 'userns']), undefined)).toEqual({
    rung: 'root',
    trees: 'overlay',
    reason: 'about root',
  });
  expect(chooseRung(report(['userns']), undefined).rung).toBe('userns');
  expect(chooseRung(report(['root', 'userns']), 'userns').rung).toBe('userns');
});

test('no rung is an error with the reasons and what to do', () => {
  expect(() => chooseRung(report([]), undefined)).toThrow(
    expect.objectContaining({
      code: 'ISOLATION_UNAVAILABLE',
      message: expect.stringContaining('root: about root; userns: about userns'),
      hint: 'do this; `slipway doctor` tells more',
    }),
  );
  expect(() => chooseRung(report(['root']), 'chroot')).toThrow('`--isolation=chroot` is not possible: about chroot');
});

test('a probe answers for every rung, as plain data, and leaves nothing behind', async () => {
  const signal = new AbortController().signal;
  const found = await probeIsolation(dir, { env: process.env, extent: 'all', signal });
  expect(found.rungs.map(({ name }) => name)).toEqual(RUNGS.map(({ name }) => name));
  expect(found.rungs.every(({ reason }) => reason !== '')).toBe(true);
  expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  expect(found.key).toBe(probeKey(dir, process.env));
  expect(readdirSync(dir)).toEqual([]);
  if (process.getuid?.() !== 0)
    expect(found.rungs[0]).toMatchObject({ available: false, reason: 'not running as root' });
});

test('missing programs are named', () => {
  const lack = findPrograms('root', { PATH: '' });
  if ('reason' in lack) expect(lack.reason).toMatch(/is not installed/);
  else expect(workerLaunch('root', lack).argv).not.toContain('--user');
});

test('the worker dies with its parent and shares no mounts', () => {
  const idMaps = [{ program: '/m', ranges: [{ inner: 0, outer: 1000, count: 1 }] }];
  const launch = workerLaunch('userns', { setpriv: '/s', unshare: '/u', shell: '/h', idMaps });
  const { argv } = launch;
  // a user namespace makes the kernel forget the signal, so it comes first
  expect(argv.slice(0, 5)).toEqual(['/u', '--user', '--', '/h', '-c']);
  expect(argv.slice(6, 12)).toEqual(['sh', '/s', '--pdeathsig', 'KILL', '--', '/u']);
  expect(argv).toEqual(expect.arrayContaining(['--kill-child=SIGKILL', 'private']));
  expect(launch.idMaps).toBe(idMaps);
  expect(workerLaunch('root', { setpriv: '/s', unshare: '/u', shell: '/h', idMaps }).idMaps).toEqual([]);
});

test("the first range that is the user's counts, as it does for `unshare --map-auto`", () => {
  const text = '# a comment\nother:1:2\nuser:100000:0\n1000:300000:10\nuser:100000:65536\n';
  expect(firstRange(text, ['user', '1000'])).toEqual({ first: 300000, count: 10 });
  expect(firstRange(text, ['user', '7'])).toEqual({ first: 100000, count: 65536 });
  expect(firstRange(text, ['nobody'])).toBeUndefined();
});
