import { expect, test } from 'vitest';
import type { SourceOp } from '../../llb/types.js';
import { remoteReads, type RemoteReadOptions } from './remote-source.js';

const options = {
  checksum: '',
  keepGitDir: undefined,
  unpack: undefined,
  platform: { os: 'linux', architecture: 'amd64' },
  vertex: { name: 'ADD' },
} as const;

function ops(
  sources: readonly string[],
  given: Partial<RemoteReadOptions> = {},
): readonly (Pick<SourceOp, 'identifier' | 'attrs'> | undefined)[] {
  return remoteReads(sources, { ...options, ...given }).map((read) => {
    const op = read?.edge.vertex.op as SourceOp | undefined;
    return op && { identifier: op.identifier, attrs: op.attrs };
  });
}

test('a URL is a file named as the last element of its path', () => {
  const names = {
    'https://h/a/b.txt?x=/y#z': 'b.txt',
    'http://h/a%20b': 'a b',
    'http://h/d/': 'd',
    'http://h/a/../..': '__unnamed__',
    'http://h': '__unnamed__',
    'http://h/%zz': '__unnamed__',
  };
  for (const [url, name] of Object.entries(names)) {
    const [read] = remoteReads([url], options);
    expect(read).toMatchObject({ src: name, unpack: false });
    expect(ops([url])).toEqual([{ identifier: url, attrs: { 'http.filename': name } }]);
  }
  expect(ops(['http://h/f', 'local'], { checksum: 'sha256:1', unpack: true })).toEqual([
    { identifier: 'http://h/f', attrs: { 'http.filename': 'f', 'http.checksum': 'sha256:1' } },
    undefined,
  ]);
  expect(remoteReads(['http://h/f'], { ...options, unpack: true })[0]).toMatchObject({ unpack: true });
});

test('one repository has one identifier, whatever the protocol', () => {
  for (const remote of ['https://h/o/r.git', 'git://h/o/r.git', 'ssh://git@h/o/r.git', 'git@h:o/r.git']) {
    const [op] = ops([`${remote}#main:a/../b`]);
    expect(op).toMatchObject({ identifier: 'git://h/o/r.git#main:b', attrs: { 'git.fullurl': remote } });
    expect(op!.attrs['git.mountsshsock']).toBe(remote.includes('git@') ? 'default' : undefined);
  }
  expect(ops(['https://h:81/r.git'])[0]!.identifier).toBe('git://h:81/r.git');
  expect(ops(['https://h/r.git#:d'])[0]!.identifier).toBe('git://h/r.git#:d');
});

test('flags of ADD and of the address', () => {
  const address = 'https://h/r.git?submodules=false&mtime=commit&branch=b&checksum=abc';
  expect(ops([address], { keepGitDir: true, checksum: 'abc' })[0]!.attrs).toEqual({
    'git.fullurl': 'https://h/r.git',
    'git.authtokensecret': 'GIT_AUTH_TOKEN',
    'git.authheadersecret': 'GIT_AUTH_HEADER',
    'git.keepgitdir': 'true',
    'git.checksum': 'abc',
    'git.skipsubmodules': 'true',
    'git.mtime': 'commit',
  });
  expect(() => ops([address], { checksum: 'abd' })).toThrow('checksum mismatch "abd" != "abc"');
  expect(() => ops(['https://h/r.git?keep-git-dir=false'], { keepGitDir: true })).toThrow('inconsistent keep-git-dir');
});
