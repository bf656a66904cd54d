import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect } from 'vitest';
import { test } from '../support/nameless-build.js';
import type { Workspace } from '../support/workspace.js';

beforeEach<{ work: Workspace }>(({ work }) => work.write({ a: 'a', b: 'b' }));

test('platform-split puts all of it below one directory, attestation-prefix names the statement', async ({
  work,
  builds,
}) => {
  work.dockerfile('FROM busybox\nRUN mkdir /x && echo x > /x/file && ln /x/file /x/hard && ln -s file /x/soft\n');
  const options = 'platform-split=true,attestation-prefix=own-';
  mkdirSync(work.path('out/stale'), { recursive: true });
  mkdirSync(work.path('elsewhere'));
  symlinkSync(work.path('elsewhere'), work.path('out/linux_amd64'));
  const built = await builds.ok(
    [
      '--provenance=true',
      '--platform=linux/amd64',
      '-o',
      `type=local,dest=out,mode=delete,${options}`,
      '-o',
      `type=tar,dest=out.tar,${options}`,
    ],
    { cwd: work.dir },
  );
  expect(built.stdout).toBe('');
  expect(readdirSync(work.path('out'))).toEqual(['linux_amd64']);
  expect(readdirSync(work.path('elsewhere'))).toEqual([]);
  const dir = work.path('out/linux_amd64');
  expect(readdirSync(dir)).toContain('own-provenance.json');
  expect(readFileSync(`${dir}/x/soft`, 'utf8')).toBe('x\n');
  expect(statSync(`${dir}/x/hard`).ino).toBe(statSync(`${dir}/x/file`).ino);
  const names = execFileSync('tar', ['-tf', work.path('out.tar')])
    .toString()
    .trim()
    .split('\n');
  expect(names[0]).toBe('linux_amd64/');
  expect(names.filter((name) => !name.startsWith('linux_amd64/'))).toEqual([]);
  mkdirSync(work.path('unpacked'));
  execFileSync('tar', ['-xf', work.path('out.tar'), '-C', work.path('unpacked'), 'linux_amd64/x']);
  expect(readFileSync(work.path('unpacked/linux_amd64/x/hard'), 'utf8')).toBe('x\n');
  expect(names).toContain('linux_amd64/own-provenance.json');
});

describe('type=local,mode=delete', () => {
  beforeEach<{ work: Workspace }>(({ work }) => work.dockerfile('FROM scratch\nCOPY a /d/a\nCOPY b /d/b\n'));

  test('removes what the result does not have, through no link', async ({ work, builds }) => {
    for (const dir of ['out/d', 'out/old/deep', 'kept']) mkdirSync(work.path(dir), { recursive: true });
    for (const file of ['out/d/stale', 'out/old/deep/x', 'kept/x', 'out/d/a']) writeFileSync(work.path(file), 'old');
    symlinkSync(work.path('kept'), work.path('out/link'));
    const output = ['-o', 'type=local,dest=out,mode=delete'];
    await builds.ok(output, { cwd: work.dir });
    expect(readdirSync(work.path('out'))).toEqual(['d']);
    expect(readdirSync(work.path('out/d')).toSorted()).toEqual(['a', 'b']);
    expect(readFileSync(work.path('out/d/b'), 'utf8')).toBe('b');
    expect(readFileSync(work.path('kept/x'), 'utf8')).toBe('old');
    await builds.ok(output, { cwd: work.dir });
    expect(readdirSync(work.path('out/d')).toSorted()).toEqual(['a', 'b']);
  });

  test('outside the working directory it needs a right, also behind a link', async ({ work, builds }) => {
    for (const dir of ['here', 'there']) mkdirSync(work.path(dir));
    writeFileSync(work.path('there/x'), 'x');
    symlinkSync(work.path('there'), work.path('here/link'));
    const cwd = work.path('here');
    for (const dest of ['../there', 'link', '.']) {
      const ended = await builds.run(['-o', `type=local,dest=${dest},mode=delete`], { cwd });
      expect(ended, dest).toMatchObject({ code: 1, stdout: '' });
      expect(ended.stderr).toContain('requires --allow=buildx.local.delete');
    }
    expect(existsSync(work.path('there/x'))).toBe(true);
    await builds.ok(['--allow', 'buildx.local.delete', '-o', 'type=local,dest=../there,mode=delete'], { cwd });
    expect(readdirSync(work.path('there'))).toEqual(['d']);
  });
});
