import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { makeTar } from '../support/tar.js';
import { test } from '../support/workspace.js';

const TAR = makeTar([
  { path: 'top', type: 'dir', mode: 0o750, uid: 3, gid: 4 },
  { path: 'top/file', mode: 0o640, uid: 1000, gid: 50, content: 'in the archive', mtime: 1_234_567_890 },
  { path: 'top/link', type: 'symlink', linkname: 'file' },
  { path: 'top/hard', type: 'hardlink', linkname: 'top/file', mode: 0o640, uid: 1000, gid: 50, mtime: 1_234_567_890 },
]);

describe('ADD', () => {
  test('copies files and directories, and unpacks archives whatever they are called', async ({ work }) => {
    writeFileSync(work.path('plain'), TAR);
    const packed = (program: string): Buffer => execFileSync(program, ['-c', work.path('plain')]);
    work.write({
      file: 'file',
      'dir/x': 'x',
      'a.tar': TAR,
      'b.tar.gz': gzipSync(TAR),
      'c.bin': packed('xz'),
      'd.tar.bz2': packed('bzip2'),
      'not-a.tar': 'no archive',
      'not-a.tar.gz': gzipSync('compressed, but no archive'),
    });
    work.dockerfile(`FROM scratch
ADD file dir /copied/
ADD a.tar /a
ADD b.tar.gz /b/
ADD c.bin /c
ADD d.tar.bz2 /d
ADD not-a.tar not-a.tar.gz /kept/
ADD --chmod=600 --chown=7:8 file /owned
`);
    const built = await work.build();
    expect(built.text('copied/file')).toBe('file');
    expect(built.text('copied/x')).toBe('x');
    for (const dir of ['a', 'b', 'c', 'd']) {
      expect(built.text(`${dir}/top/file`)).toBe('in the archive');
      expect(built.owner(`${dir}/top/file`)).toBe('640 1000:50');
      expect(built.owner(`${dir}/top`)).toBe('750 3:4');
      expect(built.entry(`${dir}/top/file`).mtime).toBe(1_234_567_890);
      expect(built.entry(`${dir}/top/link`).linkname).toBe('file');
      expect(built.entry(`${dir}/top/hard`).inode).toBe(built.entry(`${dir}/top/file`).inode);
    }
    expect(built.text('kept/not-a.tar')).toBe('no archive');
    expect(built.tree.has('kept/not-a.tar.gz')).toBe(true);
    expect(built.owner('owned')).toBe('600 7:8');
  });

  test('unpacks over what is there: files replace links, directories take the mode of the archive', async ({
    work,
  }) => {
    work.write({
      'over.tar': makeTar([
        { path: 'etc/passwd', content: 'replaced' },
        { path: 'tmp', type: 'dir', mode: 0o700 },
        { path: 'bin/sh', content: 'no link any more' },
      ]),
    });
    work.dockerfile('FROM busybox\nADD over.tar /\n');
    const built = await work.build();
    expect(built.text('etc/passwd')).toBe('replaced');
    expect(built.owner('tmp')).toBe('700 0:0');
    expect(built.entry('bin/sh').type).toBe('file');
    expect(built.entry('bin/busybox').size).toBeGreaterThan(100_000);
  });

  test('a damaged archive is an error with its place', async ({ work }) => {
    work.write({ 'cut.tar.gz': gzipSync(TAR).subarray(0, 100) });
    work.dockerfile('FROM scratch\nADD cut.tar.gz /\n');
    const ended = await work.tryBuild();
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/>>> ADD cut\.tar\.gz/);
    expect(ended.stderr).not.toContain('this is a bug');
  });
});

describe('--build-context', () => {
  test('names an image of the store, a path with its own ignore file, and goes before a stage of that name', async ({
    work,
  }) => {
    work.dockerfile('FROM scratch\nCOPY Dockerfile /from-store\n');
    await work.build(['-t', 'stored:1']);
    work.write({ a: 'a', b: 'b', '.dockerignore': 'b\n' }, work.path('other'));
    work.dockerfile(`FROM nowhere AS base
FROM scratch AS replaced
COPY Dockerfile /own
FROM scratch
COPY --from=base / /
COPY --from=replaced / /r/
`);
    const args = ['nowhere=docker-image://stored:1', `replaced=${work.path('other')}`];
    const built = await work.build(args.flatMap((one) => ['--build-context', one]));
    expect([...built.tree.keys()].sort()).toEqual(['from-store', 'r', 'r/.dockerignore', 'r/a']);
  });
});

describe('progress', () => {
  test('plain has a line for everything; tty redraws; both say what was built at the end', async ({ work }) => {
    work.dockerfile(
      'FROM busybox AS one\nRUN echo to-stdout; echo to-stderr >&2; printf unfinished\nFROM one\nCOPY Dockerfile /d\n',
    );
    const plain = await work.build();
    expect(plain.stderr).toMatch(/^#\d+ \[one \d\/2\] RUN echo to-stdout/m);
    expect(plain.stderr).toMatch(/^#\d+ \d+\.\d+ to-stdout$/m);
    expect(plain.stderr).toMatch(/^#\d+ \d+\.\d+ to-stderr$/m);
    expect(plain.stderr).toMatch(/^#\d+ \d+\.\d+ unfinished$/m);
    expect(plain.stderr).toMatch(/^#\d+ DONE \d+\.\ds$/m);
    expect(plain.stderr).toMatch(/^isolation: \w+ \(.*\)$/m);
    expect(plain.stderr).toMatch(/^built test:latest: .* in 3 layers, \d+ steps? run, \d+ cached/m);
    const tty = await work.build(['--progress', 'tty', '--no-cache']);
    expect(tty.stderr).toMatch(/to-stdout|RUN echo/);
    expect(tty.stderr).toMatch(/built test:latest: /);
    expect(tty.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  });
});
