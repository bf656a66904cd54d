import { createServer, type AddressInfo } from 'node:net';
import { describe, expect } from 'vitest';
import { gzipSync } from 'node:zlib';
import { processesLeft, processesOf } from '../support/processes.js';
import { RemoteServer, TestRepository } from '../support/remote-server.js';
import { makeTar } from '../support/tar.js';
import { test as base } from '../support/workspace.js';

const test = base.extend<{ remote: RemoteServer }>({
  remote: async ({ work }, use) => {
    using server = await RemoteServer.start(work.dir);
    await use(server);
  },
});

const DATE = 'Sun, 09 Sep 2001 01:46:40 GMT';

describe('ADD of a URL', () => {
  test('is asked for again, and fetched again only when it changed', async ({ work, remote }) => {
    remote.files.set('/f', { body: 'one', headers: { etag: '"1"', 'last-modified': DATE } });
    work.dockerfile(`FROM scratch\nADD ${remote.url}/f /d/\n`);
    const first = await work.build();
    expect(first.text('d/f')).toBe('one');
    expect(first.entry('d/f')).toMatchObject({ mode: 0o600, mtime: 1_000_000_000 });
    expect(first.hadWorker).toBe(false);
    const second = await work.build();
    expect(second.ran).toEqual([]);
    expect(second.diffIds).toEqual(first.diffIds);
    remote.files.set('/f', { body: 'two', headers: { etag: '"2"' } });
    const third = await work.build();
    expect(third.text('d/f')).toBe('two');
    expect(third.entry('d/f').mtime).toBe(0);
    expect(remote.requests).toEqual(['GET /f 200', 'GET /f 304', 'GET /f 200']);
  });

  test('a checksum names the content, so that a known file is not asked for', async ({ work, remote }) => {
    remote.files.set('/f', { body: 'hello\n' });
    const checksum = 'sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
    work.dockerfile(`FROM busybox\nADD --checksum=${checksum} --chmod=755 ${remote.url}/f /f\nRUN test -x /f\n`);
    const first = await work.build();
    expect(first.owner('f')).toBe('755 0:0');
    remote.files.clear();
    expect((await work.build()).ran).toEqual([]);
    expect(remote.requests).toEqual(['GET /f 200']);
  });

  test('failures say what the server said, and where', async ({ work, remote }) => {
    work.dockerfile(`FROM scratch\n\nADD ${remote.url}/missing /\n`);
    const missing = await work.tryBuild();
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('failed to load cache key: invalid response status 404');
    expect(missing.stderr).toContain('>>> ADD');
  });
});

describe('ADD of a git repository', () => {
  test('branches, tags, commits, directories; a new commit is noticed', async ({ work, remote }) => {
    const repository = new TestRepository(work.path('r.git'));
    const first = repository.commit({ 'a.txt': 'one', 'dir/b.txt': 'b', 'dir/sub/c': 'c' });
    repository.git('tag', '-a', '-m', 'x', 'v1');
    repository.git('tag', 'light');
    const second = repository.commit({ 'a.txt': 'two' });
    const url = `${remote.url}/r.git`;
    work.dockerfile(
      [
        'FROM scratch',
        `ADD ${url} /head/`,
        `ADD ${url}#v1 /tag`,
        `ADD ${url}#light:dir /dir`,
        `ADD ${url}#${first}:/dir/../dir/sub /sub/`,
        `ADD ${url}?branch=main&commit=${second.slice(0, 12)} /branch/`,
        `ADD --checksum=${first} ${url}#refs/tags/v1 /checked/`,
      ].join('\n'),
    );
    const built = await work.build();
    expect([...built.tree.keys()].filter((one) => one.includes('.git'))).toEqual([]);
    expect(built.text('head/a.txt')).toBe('two');
    expect(built.text('tag/a.txt')).toBe('one');
    expect(built.text('dir/b.txt')).toBe('b');
    expect(built.text('dir/sub/c')).toBe('c');
    expect(built.text('sub/c')).toBe('c');
    expect(built.text('branch/a.txt')).toBe('two');
    expect(built.text('checked/a.txt')).toBe('one');
    expect(built.owner('head/a.txt')).toBe('644 0:0');
    expect(built.hadWorker).toBe(false);
    expect((await work.build()).ran).toEqual([]);
    repository.commit({ 'a.txt': 'three' });
    work.dockerfile(`FROM scratch\nADD ${url} /head/\n`);
    expect((await work.build()).text('head/a.txt')).toBe('three');
  });

  test('--keep-git-dir gives a repository of one commit', async ({ work, remote }) => {
    const repository = new TestRepository(work.path('r.git'));
    repository.commit({ f: 'old' });
    const head = repository.commit({ f: 'new' });
    work.dockerfile(`FROM scratch\nADD --keep-git-dir=true ${remote.url}/r.git#main /d/\n`);
    const built = await work.build();
    expect(built.text('d/f')).toBe('new');
    expect(built.text('d/.git/HEAD').trim()).toBe(head);
    expect(built.text('d/.git/shallow').trim()).toBe(head);
    expect(built.text('d/.git/config')).toContain(`url = ${remote.url}/r.git`);
    expect([...built.tree.keys()].filter((one) => /hooks\//.test(one))).toEqual([]);
  });

  test('submodules come along unless they are not wanted', async ({ work, remote }) => {
    const inner = new TestRepository(work.path('inner.git'));
    inner.commit({ i: 'inner' });
    const outer = new TestRepository(work.path('outer.git'));
    outer.git('submodule', '--quiet', 'add', inner.bare, 'mod');
    // Not added from the server, which cannot answer while this process waits for git. An address beside the outer one.
    outer.commit({ o: 'outer', '.gitmodules': '[submodule "mod"]\n\tpath = mod\n\turl = ../inner.git\n' });
    work.dockerfile(
      `FROM scratch\nADD ${remote.url}/outer.git /with/\nADD ${remote.url}/outer.git?submodules=false /without/\n`,
    );
    const built = await work.build();
    expect(built.text('with/mod/i')).toBe('inner');
    expect(built.tree.has('with/mod/.git')).toBe(false);
    expect(built.tree.has('without/mod/i')).toBe(false);
    expect(built.text('without/o')).toBe('outer');
  });

  test('times of the commit, where they are asked for', async ({ work, remote }) => {
    new TestRepository(work.path('r.git')).commit({ 'd/f': 'x' }, 1_234_567_890);
    work.dockerfile(`FROM scratch\nADD ${remote.url}/r.git?mtime=commit /x/\n`);
    const built = await work.build();
    expect(built.entry('x/d/f').mtime).toBe(1_234_567_890);
    expect(built.entry('x/d').mtime).toBe(1_234_567_890);
  });

  test('a token goes to its host, and into no file', async ({ work, remote }) => {
    new TestRepository(work.path('r.git')).commit({ f: 'x' });
    remote.authorization = `Basic ${Buffer.from('x-access-token:s3cret').toString('base64')}`.replace('Basic', 'basic');
    work.dockerfile(`FROM scratch\nADD --keep-git-dir=true ${remote.url}/r.git /d/\n`);
    const denied = await work.tryBuild();
    expect(denied.code).toBe(1);
    expect(denied.stderr).toMatch(/failed to load cache key: failed to fetch (default branch of )?remote/);
    const built = await work.build(['--secret', 'id=GIT_AUTH_TOKEN,env=TOKEN'], { env: { TOKEN: 's3cret' } });
    expect(built.text('d/f')).toBe('x');
    expect(built.text('d/.git/config')).not.toMatch(/s3cret|extraheader/i);
  });

  test('a killed build leaves no git behind that waits for a server', async ({ work }) => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/silent.git`;
    try {
      work.dockerfile(`FROM scratch\nADD ${url} /\n`);
      const reached = new Promise((resolve) => server.once('connection', resolve));
      const running = work.startBuild();
      await reached;
      expect(processesOf('none', url).some((one) => one.includes('git-remote-http'))).toBe(true);
      running.kill('SIGKILL');
      expect(await processesLeft('none', url)).toEqual([]);
    } finally {
      server.close();
    }
  });

  test('what is not in the repository, or not what was expected', async ({ work, remote }) => {
    const repository = new TestRepository(work.path('r.git'));
    const head = repository.commit({ f: 'x', 'd/f': 'x' });
    repository.git('rm', '-q', '-r', 'd');
    const url = `${remote.url}/r.git`;
    const cases = {
      [`${url}#nope`]: 'repository does not contain ref nope',
      [`${url}#:nope`]: 'invalid subdir nope: lstat nope: no such file or directory',
      [`${url}#:f`]: 'git subpath "f" contains non-directory "f"',
      [`${url}?checksum=abcdef#main`]: `expected checksum to match abcdef, got ${head}`,
      [`${url}#--upload-pack=x`]: 'invalid git ref "--upload-pack=x"',
      [`${remote.url}/none.git`]: 'failed to fetch',
    };
    for (const [source, message] of Object.entries(cases)) {
      work.dockerfile(`FROM scratch\nADD ${source} /\n`);
      const ended = await work.tryBuild();
      expect(ended.code).toBe(1);
      expect(ended.stderr).toContain(message);
    }
  });
});

describe('contexts', () => {
  const files = [
    { path: 'Dockerfile', content: 'FROM scratch\nCOPY . /d/\n' },
    { path: '.dockerignore', content: '*\n' },
    { path: 'sub/', type: 'dir' },
    { path: 'sub/f', content: 'f', uid: 1000, gid: 1001, mode: 0o640 },
    { path: '../../outside', content: 'x' },
    { path: 'link', type: 'symlink', linkname: '/etc' },
  ] as const;

  test('a git repository, with a directory, and its Dockerfile by -f', async ({ work, remote }) => {
    const repository = new TestRepository(work.path('r.git'));
    repository.commit({
      Dockerfile: 'FROM busybox\nCOPY . /d/\nRUN cat /d/f\n',
      '.dockerignore': '*\n',
      f: 'content',
      'other/Dockerfile': 'FROM scratch\nCOPY x /y\n',
      'other/x': 'x',
    });
    const context = `${remote.url}/r.git`;
    const built = await work.build([], { context });
    expect(built.text('d/f')).toBe('content');
    expect(built.tree.has('d/.git')).toBe(false);
    expect(built.tree.has('d/.dockerignore')).toBe(true);
    expect((await work.build([], { context })).ran).toEqual([]);
    expect((await work.build([], { context: `${context}#main:other` })).text('y')).toBe('x');
    const named = await work.tryBuild(['-f', 'other/Dockerfile'], { context });
    expect(named.stderr).toContain('"/x": not found');
    const missing = await work.tryBuild(['-f', 'none'], { context });
    expect(missing.stderr).toContain('failed to read dockerfile: open none: no such file or directory');
    const epoch = await work.build(['--no-cache', '--build-arg', 'SOURCE_DATE_EPOCH=2000000000'], { context });
    expect(epoch.entry('d/f').mtime).toBe(1_000_000_000);
    const kept = await work.build(['--build-arg', 'BUILDKIT_CONTEXT_KEEP_GIT_DIR=1'], { context });
    expect(kept.tree.has('d/.git/HEAD')).toBe(true);
  });

  test('an archive by URL keeps its owners, and nothing leaves it', async ({ work, remote }) => {
    remote.files.set('/c', { body: gzipSync(makeTar(files)), headers: { etag: '"1"' } });
    const context = `${remote.url}/c`;
    const built = await work.build([], { context });
    expect([...built.tree.keys()].sort()).toEqual([
      'd',
      'd/.dockerignore',
      'd/Dockerfile',
      'd/link',
      'd/outside',
      'd/sub',
      'd/sub/f',
    ]);
    expect(built.owner('d/sub/f')).toBe('640 1000:1001');
    expect(built.hadWorker).toBe(false);
    expect((await work.build([], { context })).ran).toEqual([]);
    expect(remote.requests).toEqual(['GET /c 200', 'GET /c 304']);
  });

  test('a Dockerfile by URL', async ({ work, remote }) => {
    remote.files.set('/x', { body: 'FROM busybox\nCOPY context /c\n' });
    const built = await work.build([], { context: `${remote.url}/x` });
    expect(built.text('c')).toBe('FROM busybox\nCOPY context /c\n');
  });

  test('stdin: an archive or a Dockerfile', async ({ work }) => {
    const archive = await work.build([], { context: '-', input: makeTar(files) });
    expect(archive.text('d/sub/f')).toBe('f');
    const dockerfile = await work.build([], { context: '-', input: 'FROM busybox\nCOPY . /d/\nRUN echo x > /f\n' });
    expect(dockerfile.text('f')).toBe('x\n');
    expect([...dockerfile.tree.keys()].filter((one) => one.startsWith('d/'))).toEqual([]);
    const both = await work.tryBuild(['-f', '-'], { context: '-', input: 'FROM scratch\n' });
    expect(both.code).toBe(2);
    expect(both.stderr).toContain("can't use stdin for both build context and dockerfile");
    const flag = await work.tryBuild(['-f', 'x'], { context: '-', input: 'FROM scratch\n' });
    expect(flag.stderr).toContain('ambiguous Dockerfile source');
  });

  test('named: a git repository, and a URL, which is a file', async ({ work, remote }) => {
    new TestRepository(work.path('r.git')).commit({ 'd/f': 'from git' });
    remote.files.set('/x', { body: 'from http', headers: { 'last-modified': DATE } });
    work.dockerfile(
      'FROM busybox\nCOPY --from=repo /d /d/\nCOPY --from=file / /h/\n' +
        'RUN --mount=from=repo,target=/m cat /m/d/f > /m2\n',
    );
    const built = await work.build([
      '--build-context',
      `repo=${remote.url}/r.git#main`,
      '--build-context',
      `file=${remote.url}/x`,
    ]);
    expect(built.text('d/f')).toBe('from git');
    expect(built.text('m2')).toBe('from git');
    expect(built.text('h/context')).toBe('from http');
    expect(built.entry('h/context')).toMatchObject({ mode: 0o600, mtime: 1_000_000_000 });
    const wrong = await work.tryBuild(['--build-context', 'x=ftp://h/f']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('unsupported context source ftp for x');
  });
});
