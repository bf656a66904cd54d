import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { flatten, readImage, readTar } from '../support/image.js';
import { test, type Workspace } from '../support/workspace.js';

const DOCKERFILE = `FROM busybox AS base
RUN mkdir /d && echo x > /d/x && ln -s x /d/link && chmod 4755 /d/x
FROM scratch
COPY --from=base /d /d
CMD ["/d/x"]
`;

function untar(file: string, dir: string): void {
  mkdirSync(dir);
  execFileSync('tar', ['-xf', file, '-C', dir]);
}

describe('-o', () => {
  beforeEach<{ work: Workspace }>(({ work }) => work.dockerfile(DOCKERFILE));

  test('type=oci to a file, to stdout and as a directory', async ({ work }) => {
    const file = await work.build(['-o', `type=oci,dest=${work.path('image.tar')}`]);
    untar(work.path('image.tar'), work.path('file'));
    expect(await layoutFaults(work.path('file'))).toEqual([]);
    const image = readImage(work.path('file'), 'latest');
    expect(image.manifest.layers.map((layer) => layer.mediaType)).toEqual([
      'application/vnd.oci.image.layer.v1.tar+gzip',
    ]);
    expect([...flatten(image.layers).keys()]).toEqual(['d', 'd/link', 'd/x']);
    expect(image.descriptor.annotations).toMatchObject({ 'io.containerd.image.name': 'docker.io/library/test:latest' });
    expect(file.stdout).toBe(`${image.descriptor.digest}\n`);

    const stdout = await work.build(['-o', 'type=oci,dest=-']);
    writeFileSync(work.path('stdout.tar'), stdout.stdoutBytes);
    untar(work.path('stdout.tar'), work.path('stdout'));
    expect(readImage(work.path('stdout'), 'latest').config).toEqual(image.config);

    await work.build(['-o', `type=oci,tar=false,compression=uncompressed,dest=${work.path('dir')}`]);
    expect(await layoutFaults(work.path('dir'))).toEqual([]);
    const plain = readImage(work.path('dir'), 'latest');
    expect(plain.config.rootfs).toEqual(image.config.rootfs);
    expect(plain.manifest.layers[0]!.digest).toBe(plain.config.rootfs.diff_ids[0]);
  });

  test('type=docker has what `docker load` reads', async ({ work }) => {
    await work.build(['-t', 'second:2', '-o', `type=docker,dest=${work.path('image.tar')}`]);
    untar(work.path('image.tar'), work.path('image'));
    const [entry] = JSON.parse(readFileSync(work.path('image/manifest.json'), 'utf8')) as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ];
    expect(entry.RepoTags).toEqual(['test:latest', 'second:2']);
    for (const file of [entry.Config, ...entry.Layers]) expect(existsSync(work.path(`image/${file}`))).toBe(true);
    execFileSync('skopeo', [
      'copy',
      '-q',
      `docker-archive:${work.path('image.tar')}:test:latest`,
      `dir:${work.path('dir')}`,
    ]);
  });

  test('type=local writes files, with links, into a directory that may exist', async ({ work }) => {
    mkdirSync(work.path('out'));
    writeFileSync(work.path('out/kept'), 'kept');
    await work.build(['-o', `type=local,dest=${work.path('out')}`]);
    expect(readFileSync(work.path('out/d/x'), 'utf8')).toBe('x\n');
    expect(readlinkSync(work.path('out/d/link'))).toBe('x');
    expect(lstatSync(work.path('out/d/x')).mode & 0o7777).toBe(0o4755);
    expect(readFileSync(work.path('out/kept'), 'utf8')).toBe('kept');
    await work.build(['-o', work.path('short')]);
    expect(readFileSync(work.path('short/d/x'), 'utf8')).toBe('x\n');
  });

  test('type=tar to a file and to stdout, the same bytes', async ({ work }) => {
    const built = await work.build(['-o', `type=tar,dest=${work.path('tree.tar')}`, '-o', 'type=image']);
    const tar = readFileSync(work.path('tree.tar'));
    expect(readTar(tar).map(({ path, mode, mtime }) => ({ path, mode, mtime }))).toEqual(
      ['d', 'd/link', 'd/x'].map((path) => ({ path, mode: built.entry(path).mode, mtime: built.entry(path).mtime })),
    );
    const dash = await work.build(['-o', '-']);
    expect(dash.stdoutBytes.equals(tar)).toBe(true);
  });

  test('several at once; without type=image the store has no new name', async ({ work }) => {
    await work.build(['-o', `type=oci,dest=${work.path('a.tar')}`, '-o', `type=tar,dest=${work.path('b.tar')}`]);
    expect(existsSync(work.path('a.tar')) && existsSync(work.path('b.tar'))).toBe(true);
    expect((await work.run(['images', '--format', 'json'])).stdout.trim()).toBe('[]');
  });

  test('of a base that is not built on stays byte for byte', async ({ work }) => {
    work.dockerfile('FROM busybox\nCMD ["true"]\n');
    const built = await work.build(['-o', `type=oci,tar=false,dest=${work.path('dir')}`, '-o', 'type=image']);
    const image = readImage(work.path('dir'), 'latest');
    expect(image.manifest.layers).toEqual(built.image.manifest.layers);
    expect(image.manifest.layers[0]!.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
  });
});

describe('-t and what is printed', () => {
  test('several names; the digest on stdout is that of the image; --quiet prints nothing else', async ({ work }) => {
    work.dockerfile('FROM busybox\nENV A=1\n');
    const built = await work.build(['-t', 'two:2', '-t', 'registry.example:5000/three/four']);
    expect(built.stdout.trim()).toBe(built.image.descriptor.digest);
    for (const name of ['docker.io/library/two:2', 'registry.example:5000/three/four:latest']) {
      expect(readImage(work.root, name).descriptor.digest).toBe(built.image.descriptor.digest);
    }
    const quiet = await work.build(['-q']);
    expect(quiet).toMatchObject({ stdout: built.stdout, stderr: '' });
    expect(await layoutFaults(work.root)).toEqual([]);
  });
});
