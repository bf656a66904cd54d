import { chmodSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { test } from '../support/workspace.js';

describe('COPY', () => {
  test('files, directories, wildcards and several sources from the context', async ({ work }) => {
    work.write({ 'a.txt': 'a', 'b.txt': 'b', 'c.md': 'c', 'dir/x': 'x', 'dir/sub/y': 'y', 'sp ace': 's' });
    chmodSync(`${work.context}/dir/x`, 0o750);
    work.dockerfile(`FROM scratch
COPY a.txt /renamed
COPY *.txt /texts/
COPY a.txt c.md ./two/
COPY dir /into/dir
COPY dir /slash/
COPY ["sp ace", "/json form/"]
COPY . /all
`);
    const built = await work.build();
    expect(built.text('renamed')).toBe('a');
    expect([...built.tree.keys()].filter((path) => /^(texts|two|into|slash|json form)/.test(path)).sort()).toEqual([
      'into',
      'into/dir',
      'into/dir/sub',
      'into/dir/sub/y',
      'into/dir/x',
      'json form',
      'json form/sp ace',
      'slash',
      'slash/sub',
      'slash/sub/y',
      'slash/x',
      'texts',
      'texts/a.txt',
      'texts/b.txt',
      'two',
      'two/a.txt',
      'two/c.md',
    ]);
    expect(built.owner('into/dir/x')).toBe('750 0:0');
    expect(built.tree.has('all/Dockerfile')).toBe(true);
    expect(built.hadWorker).toBe(false);
  });

  test('--chown by name and number, --chmod, both', async ({ work }) => {
    work.write({ f: '1', 'd/g': '2' });
    work.dockerfile(`FROM busybox
COPY --chown=app f /by-name
COPY --chown=app:staff f /by-names
COPY --chown=12:34 d /by-number
COPY --chmod=0600 f /mode
COPY --chown=app:app --chmod=4755 f /both
`);
    const built = await work.build();
    expect(built.owner('by-name')).toBe('644 1000:1000');
    expect(built.owner('by-names')).toBe('644 1000:50');
    expect(built.owner('by-number')).toBe('755 12:34');
    expect(built.owner('by-number/g')).toBe('644 12:34');
    expect(built.owner('mode')).toBe('600 0:0');
    expect(built.owner('both')).toBe('4755 1000:1000');
  });

  test('--from a stage by name, by index, an image, a named context', async ({ work }) => {
    work.write({ f: 'from the context' });
    work.write({ g: 'from elsewhere' }, work.path('other'));
    work.dockerfile(`FROM scratch AS first
COPY f /f
FROM busybox AS second
RUN echo made > /made
FROM scratch
COPY --from=first /f /a
COPY --from=1 /made /b
COPY --from=busybox /etc/passwd /c
COPY --from=other g /d
`);
    const built = await work.build(['--build-context', `other=${work.path('other')}`]);
    expect(built.text('a')).toBe('from the context');
    expect(built.text('b')).toBe('made\n');
    expect(built.text('c')).toContain('app:x:1000:1000');
    expect(built.text('d')).toBe('from elsewhere');
  });

  test('the same --link twice, with steps between that change what it brought', async ({ work }) => {
    work.write({
      Dockerfile:
        'FROM busybox\nCOPY --link d /l\nRUN rm /l/a && echo x > /l/b && mkdir /l/c && echo y > /l/n\n' +
        'COPY --link d /l\nRUN ls /l | tr "\\n" " " > /seen; cat /l/b >> /seen\n',
      'd/a': 'a',
      'd/b': 'b',
    });
    for (const how of [[], ['--no-cache']]) {
      const built = await work.build(how);
      expect(built.text('seen')).toBe('a b c n b');
      expect([...built.tree.keys()].filter((name) => name.startsWith('l/')).sort()).toEqual([
        'l/a',
        'l/b',
        'l/c',
        'l/n',
      ]);
    }
  });

  test('a destination that is reached through symlinks stays in the image', async ({ work }) => {
    work.write({ f: 'f' });
    work.dockerfile(`FROM busybox
RUN mkdir -p /real /a && ln -s /real /link && ln -s ../../../../real /a/up && ln -s link /chain
COPY f /link/one
COPY f /a/up/two
COPY f /chain/
`);
    const built = await work.build();
    expect(built.text('real/one')).toBe('f');
    expect(built.text('real/two')).toBe('f');
    expect(built.text('real/f')).toBe('f');
    expect(built.entry('link').type).toBe('symlink');
    expect(built.entry('a/up').linkname).toBe('../../../../real');
  });

  test('symlinks are copied as links, hard files keep content, modes whatever the umask', async ({ work }) => {
    work.write({ 'd/target': 't' });
    symlinkSync('target', `${work.context}/d/link`);
    symlinkSync('/nowhere', `${work.context}/d/dangling`);
    mkdirSync(`${work.context}/d/sticky`);
    chmodSync(`${work.context}/d/sticky`, 0o1777);
    work.dockerfile('FROM scratch\nCOPY d /d\n');
    const built = await work.build();
    expect(built.entry('d/link')).toMatchObject({ type: 'symlink', linkname: 'target' });
    expect(built.entry('d/dangling')).toMatchObject({ type: 'symlink', linkname: '/nowhere' });
    expect(built.owner('d/sticky')).toBe('1777 0:0');
  });

  test('.dockerignore with exceptions; a Dockerfile has one of its own', async ({ work }) => {
    work.write({
      '.dockerignore': 'node_modules\n**/*.log\n!keep.log\n',
      'node_modules/x': '',
      'a.log': '',
      'keep.log': '',
      'src/b.log': '',
      'src/c': '',
      'Other.dockerignore': 'src\n',
      Other: 'FROM scratch\nCOPY . /\n',
    });
    work.dockerfile('FROM scratch\nCOPY . /\n');
    const names = [...(await work.build()).tree.keys()];
    expect(names).toEqual(expect.arrayContaining(['keep.log', 'src', 'src/c']));
    expect(names.filter((name) => /node_modules|a\.log|b\.log/.test(name))).toEqual([]);
    const other = [...(await work.build(['-f', `${work.context}/Other`])).tree.keys()];
    expect(other).toEqual(expect.arrayContaining(['a.log', 'node_modules/x']));
    expect(other.filter((name) => name.startsWith('src'))).toEqual([]);
  });

  test('what files are only copied onto is not unpacked, even if they come from a RUN', async ({ work }) => {
    work.dockerfile(`FROM busybox AS build
RUN echo 1 > /f
FROM busybox
COPY --from=build /f /a
COPY --from=build /f /b
`);
    const built = await work.build();
    expect([built.text('a'), built.text('b')]).toEqual(['1\n', '1\n']);
    expect(readdirSync(`${work.root}/trees`)).toHaveLength(2); // busybox, for the RUN, and what that changed
  });
});
