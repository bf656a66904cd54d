import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestRepository } from '../support/remote-server.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { findCommit, type WantedCommit } from '../../src/remote/find-commit.js';
import { Git } from '../../src/remote/git-cli.js';
import { GitRepository } from '../../src/remote/git-repository.js';

const { signal } = new AbortController();
const git = new Git();
let dir: string;
let origin: TestRepository;

beforeEach(() => {
  dir = makeTempDir('git');
  origin = new TestRepository(path.join(dir, 'origin.git'));
});
afterEach(() => removeTempDir(dir));

function find(ref: string, wanted: Partial<WantedCommit> = {}): ReturnType<typeof findCommit> {
  return findCommit(git, { remote: origin.bare, ref, fetchByCommit: false, ...wanted }, { signal });
}

async function checkout(ref: string, options = {}): Promise<string> {
  const commit = await find(ref);
  const repository = new GitRepository(path.join(dir, 'cache'), git);
  await repository.fetch(origin.bare, commit, { signal });
  const into = path.join(dir, `out-${Math.random()}`);
  mkdirSync(into);
  await repository.checkout(commit, into, {
    remote: origin.bare,
    keepGitDir: false,
    submodules: true,
    signal,
    ...options,
  });
  return into;
}

describe('what a name stands for', () => {
  test('a branch before a tag of the same name, full names, the default branch', async () => {
    const first = origin.commit({ f: '1' });
    origin.git('tag', 'both');
    origin.git('tag', '-a', '-m', 'x', 'v1');
    const tag = origin.git('rev-parse', 'v1').trim();
    const second = origin.commit({ f: '2' });
    origin.git('push', '--quiet', 'origin', 'HEAD:refs/heads/both', 'HEAD:refs/heads/a/b');
    expect(await find('')).toEqual({ ref: 'refs/heads/main', sha: second });
    expect(await find('both')).toEqual({ ref: 'refs/heads/both', sha: second });
    expect(await find('tags/both')).toEqual({ ref: 'refs/tags/both', sha: first });
    expect(await find('refs/heads/a/b')).toEqual({ ref: 'refs/heads/a/b', sha: second });
    expect(await find('v1')).toEqual({ ref: 'refs/tags/v1', sha: tag, tagged: first });
    expect(await find(first)).toEqual({ ref: first, sha: first });
    await expect(find('b')).rejects.toThrow('repository does not contain ref b');
  });

  test('checksums', async () => {
    const head = origin.commit({ f: '1' });
    origin.git('tag', '-a', '-m', 'x', 'v1');
    origin.push();
    const tag = origin.git('rev-parse', 'v1').trim();
    for (const checksum of [tag, head, head.slice(0, 7)])
      expect(await find('v1', { checksum })).toMatchObject({ sha: tag });
    await expect(find('v1', { checksum: 'ffff' })).rejects.toThrow(
      `expected checksum to match ffff, got ${tag} or ${head}`,
    );
    await expect(find(head, { checksum: 'ffff' })).rejects.toThrow(`expected checksum to match ffff, got ${head}`);
    await expect(find('main', { checksum: 'x' })).rejects.toThrow('invalid checksum x for Git URL');
    expect(await find('main', { checksum: head, fetchByCommit: true })).toEqual({ ref: 'refs/heads/main', sha: head });
    await expect(find('main', { checksum: 'ffff', fetchByCommit: true })).rejects.toThrow('requires a full commit SHA');
  });
});

describe('the files of a commit', () => {
  test("modes are git's; what was removed is not there; an empty commit has none", async () => {
    origin.commit({});
    expect(existsSync(path.join(await checkout('main'), 'f'))).toBe(false);
    origin.commit({ f: '1', 'd/g': '2' });
    const first = await checkout('main');
    expect(lstatSync(path.join(first, 'f')).mode & 0o777).toBe(0o644);
    expect(lstatSync(path.join(first, 'd')).mode & 0o777).toBe(0o755);
    origin.git('rm', '--quiet', 'f');
    origin.commit({ x: 'x' });
    const second = await checkout('main');
    expect(existsSync(path.join(second, 'f'))).toBe(false);
    expect(readFileSync(path.join(second, 'd/g'), 'utf8')).toBe('2');
    expect(existsSync(path.join(second, '.git'))).toBe(false);
  });

  test('a branch that is rewritten, and one that is replaced by a directory of branches', async () => {
    origin.commit({ f: '1' });
    origin.git('push', '--quiet', 'origin', 'HEAD:refs/heads/a');
    await checkout('a');
    origin.git('push', '--quiet', 'origin', ':refs/heads/a');
    origin.git('commit', '--quiet', '--amend', '-m', 'y');
    origin.commit({ f: '2' });
    origin.git('push', '--quiet', 'origin', 'HEAD:refs/heads/a/b');
    expect(readFileSync(path.join(await checkout('a/b'), 'f'), 'utf8')).toBe('2');
    expect(readFileSync(path.join(await checkout('main'), 'f'), 'utf8')).toBe('2');
  });

  test('attributes of the commit count, programs of the user do not', async () => {
    const config = path.join(dir, 'config');
    const proof = path.join(dir, 'ran');
    const hook = path.join(dir, 'hooks');
    mkdirSync(hook);
    for (const name of ['post-checkout', 'reference-transaction']) {
      writeFileSync(path.join(hook, name), `#!/bin/sh\necho hook >> ${proof}\n`);
      chmodSync(path.join(hook, name), 0o755);
    }
    writeFileSync(
      config,
      `[core]\n\thooksPath = ${hook}\n[filter "f"]\n\tsmudge = touch ${proof}; cat\n[init]\n\ttemplateDir = ${hook}\n`,
    );
    origin.commit({ '.gitattributes': '*.crlf text eol=crlf\n*.f filter=f\n', 'a.crlf': '1\n', 'b.f': 'x' });
    process.env['GIT_CONFIG_GLOBAL'] = config;
    try {
      const out = await checkout('main', { keepGitDir: true });
      expect(readFileSync(path.join(out, 'a.crlf'), 'utf8')).toBe('1\r\n');
      expect(readFileSync(path.join(out, 'b.f'), 'utf8')).toBe('x');
    } finally {
      delete process.env['GIT_CONFIG_GLOBAL'];
    }
    expect(existsSync(proof)).toBe(false);
  });

  test('a submodule must not be a directory of this machine', async () => {
    const inner = new TestRepository(path.join(dir, 'inner.git'));
    inner.commit({ i: 'secret' });
    origin.git('submodule', '--quiet', 'add', inner.bare, 'mod');
    origin.commit({});
    await expect(checkout('main')).rejects.toMatchObject({
      code: 'FETCH_FAILED',
      cause: { stderr: expect.stringContaining("transport 'file' not allowed") },
    });
    expect(existsSync(path.join(await checkout('main', { submodules: false }), 'mod/i'))).toBe(false);
  });

  test('an abort ends git', async () => {
    const stop = new AbortController();
    const run = git.run({}, ['-c', 'alias.wait=!sleep 100', 'wait'], { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(run).rejects.toThrow('enough');
  });
});
