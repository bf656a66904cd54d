import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { busyboxLayout } from '../support/busybox.js';
import { whyNotRung } from '../support/rung.js';
import { isRoot, test } from '../support/workspace.js';

/** A uid that neither passwd nor subuid has. */
const NOBODY_KNOWN = 65_432;

const whyNot = await whyNotRung('userns-single');

describe(`an ordinary user without subordinate ids ${whyNot ? `(${whyNot})` : ''}`, () => {
  test.skipIf(!isRoot || whyNot !== undefined)('builds with one id, and is told how to get more', async ({ work }) => {
    // The checkout may lie where other users cannot read.
    const project = work.path('project');
    for (const name of ['bin', 'dist', 'package.json', 'node_modules/koffi', 'node_modules/@koromix']) {
      cpSync(path.join(packageRoot(), name), path.join(project, name), { recursive: true });
    }
    cpSync(await busyboxLayout(), work.path('busybox'), { recursive: true });
    work.dockerfile('FROM busybox\nRUN id -u > /id && touch /home/app/f\n');
    mkdirSync(work.root);
    execFileSync('chown', ['-R', `${NOBODY_KNOWN}:${NOBODY_KNOWN}`, work.dir]);
    chmodSync(work.dir, 0o755);
    const ids = [`--reuid=${NOBODY_KNOWN}`, `--regid=${NOBODY_KNOWN}`, '--clear-groups'];
    const slipway = (...args: readonly string[]): string =>
      execFileSync('setpriv', [...ids, process.execPath, path.join(project, 'bin/slipway'), ...args], {
        cwd: work.dir,
        env: { PATH: process.env['PATH'], HOME: work.dir, SLIPWAY_OFFLINE: '1' },
        encoding: 'utf8',
        stdio: 'pipe',
      });
    const tar = work.path('tree.tar');
    const base = `busybox=oci-layout://${work.path('busybox')}`;
    slipway('build', '--root', work.root, '--build-context', base, '-o', `type=tar,dest=${tar}`, work.context);
    const list = execFileSync('tar', ['--numeric-owner', '-tvf', tar], { encoding: 'utf8' });
    expect(list).toMatch(/1000\/1000 .* home\/app\/$/m);
    expect(list).toMatch(/ 0\/0 .* home\/app\/f$/m);
    expect(list).toMatch(/ 0\/0 .* id$/m);
    const doctor = slipway('doctor', '--root', work.root);
    expect(doctor).toMatch(/^\* +userns-single +yes /m);
    expect(doctor).toMatch(/subuid/);
  });
});
