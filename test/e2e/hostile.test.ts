import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { flatten, readImage } from '../support/image.js';
import { writeLayout, type HandMade } from '../support/layout.js';
import { makeTar, sha256, type TarSpec } from '../support/tar.js';
import { test, type Workspace } from '../support/workspace.js';

/** Files that a way out of the root would change or make: beside the store, by absolute name, and far up. */
class Canary {
  readonly dir: string;
  readonly #before: string;

  constructor(work: Workspace) {
    this.dir = work.path('canary');
    mkdirSync(this.dir);
    writeFileSync(path.join(this.dir, 'file'), 'alive');
    this.#before = this.#state();
  }

  #state(): string {
    return JSON.stringify([readdirSync(this.dir).sort(), readFileSync(path.join(this.dir, 'file'), 'utf8')]);
  }

  expectAlive(): void {
    expect(this.#state()).toBe(this.#before);
    for (const name of ['/slipway-escaped', '/tmp/slipway-escaped', '/etc/slipway-escaped'])
      expect(existsSync(name), name).toBe(false);
  }
}

/** Ways out of a root, each as a list of entries. `out` is an absolute directory outside. */
function escapes(out: string): Readonly<Record<string, readonly TarSpec[]>> {
  const up = `${'../'.repeat(30)}${out.slice(1)}`;
  const evil = { content: 'evil' };
  return {
    'names with `..`': [
      { path: `${up}/file`, ...evil },
      { path: `a/../../../../../../../../..${out}/new`, ...evil },
      { path: '../slipway-escaped', ...evil },
    ],
    'absolute names': [
      { path: `${out}/file`, ...evil },
      { path: '/slipway-escaped', ...evil },
    ],
    'a file through an absolute link': [
      { path: 'link', type: 'symlink', linkname: out },
      { path: 'link/file', ...evil },
      { path: 'link/new', ...evil },
    ],
    'a file through a relative link': [
      { path: 'd/link', type: 'symlink', linkname: up },
      { path: 'd/link/file', ...evil },
      { path: 'd/link/dir', type: 'dir' },
    ],
    'a file onto a link': [
      { path: 'link', type: 'symlink', linkname: `${out}/file` },
      { path: 'link', ...evil },
      { path: 'link2', type: 'symlink', linkname: `${out}/new` },
      { path: 'link2', ...evil },
    ],
    'through a chain of links': [
      { path: 'a', type: 'symlink', linkname: '.' },
      { path: 'a/b', type: 'symlink', linkname: '../../../../../../../..' },
      { path: 'a/b/c', type: 'symlink', linkname: `a/b${out}` },
      { path: `a/b${out}/file`, ...evil },
    ],
    'a directory onto a link': [
      { path: 'link', type: 'symlink', linkname: out },
      { path: 'link', type: 'dir', mode: 0o777 },
      { path: 'link/file', ...evil },
    ],
    'a link with a mode and an owner': [
      { path: 'link', type: 'symlink', linkname: `${out}/file`, mode: 0o4777, uid: 1, gid: 1 },
      { path: 'to-link', type: 'hardlink', linkname: 'link' },
    ],
  };
}

/** Hard links to what is not in the archive: refused, or made inside the root. */
function hardLinks(out: string): Readonly<Record<string, readonly TarSpec[]>> {
  const up = '../'.repeat(30);
  return {
    'a hard link by `..`, then written': [
      { path: 'hard', type: 'hardlink', linkname: `${up}${out.slice(1)}/file` },
      { path: 'hard', content: 'evil' },
    ],
    'a hard link by an absolute name': [{ path: 'hard', type: 'hardlink', linkname: `${out}/file` }],
    'a hard link through a link': [
      { path: 'link', type: 'symlink', linkname: out },
      { path: 'hard', type: 'hardlink', linkname: 'link/file' },
    ],
  };
}

/** Whiteouts that name something above or outside. */
const WHITEOUTS: readonly TarSpec[] = [{ path: '.wh...' }, { path: 'd/.wh..' }, { path: '.wh.' }];

const OUT = '/tmp/slipway-canary-name';
const NAMES = [...Object.keys(escapes(OUT)), ...Object.keys(hardLinks(OUT))];

function waysOut(canary: Canary): Readonly<Record<string, readonly TarSpec[]>> {
  return { ...escapes(canary.dir), ...hardLinks(canary.dir) };
}

describe.concurrent('a tar that tries to leave its root', () => {
  test.for(NAMES)('by %s, given to ADD', async (name, { work }) => {
    const canary = new Canary(work);
    work.write({ 'evil.tar': makeTar(waysOut(canary)[name]!) });
    for (const dockerfile of [
      'FROM scratch\nADD evil.tar /\n',
      'FROM busybox\nRUN true\nADD evil.tar /deep/down/\nRUN find / -xdev -name file -o -name new > /dev/null\n',
    ]) {
      work.dockerfile(dockerfile);
      const ended = await work.tryBuild(['-o', 'type=image', '-o', work.path('out')]);
      canary.expectAlive();
      expect([0, 1], ended.output).toContain(ended.code);
      expect(ended.stderr).not.toContain('this is a bug');
    }
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test.for(NAMES)('by %s, in the layers of a base', async (name, { work }) => {
    const canary = new Canary(work);
    const specs = waysOut(canary)[name]!;
    // In one layer, and every entry in a layer of its own.
    for (const [how, layers] of Object.entries({ one: [makeTar(specs)], many: specs.map((spec) => makeTar([spec])) })) {
      writeLayout(work.path(how), { layers });
      work.dockerfile(`FROM base AS unpacked
COPY Dockerfile /link/file
COPY Dockerfile /d/link/new
FROM busybox
COPY --from=base / /copy
COPY --from=unpacked / /copy2
RUN find /copy /copy2 > /dev/null
`);
      const ended = await work.tryBuild(
        ['--build-context', `base=oci-layout://${work.path(how)}`, '-o', 'type=image', '-o', work.path(`out-${how}`)],
        {},
      );
      canary.expectAlive();
      expect([0, 1], ended.output).toContain(ended.code);
      expect(ended.stderr).not.toContain('this is a bug');
    }
  });

  test('by whiteouts of what is above', async ({ work }) => {
    const canary = new Canary(work);
    writeLayout(work.path('base'), {
      layers: [makeTar([{ path: 'd/kept', content: 'kept' }]), ...WHITEOUTS.map((spec) => makeTar([spec]))],
    });
    work.dockerfile('FROM busybox\nCOPY --from=base / /copy\nRUN find /copy > /dev/null\n');
    const ended = await work.tryBuild(['--build-context', `base=oci-layout://${work.path('base')}`]);
    canary.expectAlive();
    expect([0, 1], ended.output).toContain(ended.code);
    expect(ended.stderr).not.toContain('this is a bug');
  });
});

describe('links that lead out of a root', () => {
  test('of the context: COPY reads nothing behind them', async ({ work }) => {
    const canary = new Canary(work);
    symlinkSync(canary.dir, `${work.context}/out`);
    symlinkSync('../canary', `${work.context}/up`);
    for (const source of ['out/file', 'up/file']) {
      work.dockerfile(`FROM scratch\nCOPY ${source} /stolen\n`);
      const ended = await work.tryBuild();
      expect(ended, source).toMatchObject({ code: 1, stderr: expect.stringContaining('not found') });
    }
    work.dockerfile('FROM scratch\nCOPY ../canary/file /stolen\n');
    expect((await work.tryBuild()).code).toBe(1);
  });

  test('of the output directory: nothing is written through them', async ({ work }) => {
    const canary = new Canary(work);
    mkdirSync(work.path('out'));
    symlinkSync(canary.dir, work.path('out/d'));
    symlinkSync(path.join(canary.dir, 'file'), work.path('out/f'));
    work.write({ x: 'x' });
    work.dockerfile('FROM scratch\nCOPY x /d/file\nCOPY x /f\n');
    await work.build(['-o', work.path('out')]);
    canary.expectAlive();
    expect(readFileSync(work.path('out/d/file'), 'utf8')).toBe('x');
  });

  test('of a stage: COPY --from and ADD stay inside', async ({ work }) => {
    const canary = new Canary(work);
    work.write({ x: 'x' });
    work.dockerfile(`FROM busybox AS stage
RUN ln -s ${canary.dir} /out && ln -s /etc/passwd /passwd
COPY x /out/file
FROM scratch
COPY --from=stage /passwd /passwd
COPY --from=stage /out/file /file
`);
    const built = await work.build();
    canary.expectAlive();
    expect(built.text('file')).toBe('x');
    expect(built.text('passwd')).toContain('app:x:1000');
  });
});

describe.concurrent('a base that is not what it says', () => {
  const layer = makeTar([{ path: 'f', content: 'f' }]);
  const cases: Readonly<Record<string, readonly [image: HandMade, expected: RegExp]>> = {
    'a diffID that is another layer’s': [
      { layers: [layer], diffIds: [sha256('another')] },
      /unpacks to `sha256:[0-9a-f]+`, not to `sha256:/,
    ],
    'a diffID too many': [{ layers: [layer], diffIds: [sha256(layer), sha256(layer)] }, /1 layers but 2 diffIDs/],
    'a size that is not the blob’s': [
      {
        layers: [layer],
        editManifest: (manifest) => ({
          ...manifest,
          layers: (manifest['layers'] as readonly object[]).map((one) => ({ ...one, size: 7 })),
        }),
      },
      /has more than the 7 bytes/,
    ],
    'a layer that is no tar': [{ layers: [Buffer.alloc(2048, 'x')] }, /invalid tar archive/],
    'a layer that stops in the middle': [{ layers: [layer.subarray(0, 512)] }, /invalid tar archive|ends too early/],
    'a digest that is a path': [
      {
        layers: [layer],
        editManifest: (manifest) => ({
          ...manifest,
          layers: [
            { mediaType: 'application/vnd.oci.image.layer.v1.tar', size: 5, digest: 'sha256:../../../../etc/passwd' },
          ],
        }),
      },
      /must be a sha256 digest/,
    ],
    'a huge manifest': [
      { layers: [layer], editManifest: (manifest) => ({ ...manifest, annotations: { a: 'x'.repeat(5_000_000) } }) },
      /has \d+ bytes, more than/,
    ],
    'too many layers': [
      {
        layers: [layer],
        editManifest: (manifest) => ({
          ...manifest,
          layers: Array.from({ length: 5000 }, () => (manifest['layers'] as readonly object[])[0]),
        }),
      },
      /not valid at `layers`/,
    ],
  };

  test.for(Object.keys(cases))('%s', async (name, { work }) => {
    const [image, expected] = cases[name]!;
    writeLayout(work.path('base'), image);
    work.dockerfile('FROM base\nCOPY Dockerfile /d/\nCOPY --from=base /f /g\n');
    const ended = await work.tryBuild(['--build-context', `base=oci-layout://${work.path('base')}`]);
    expect(ended.stderr).toMatch(expected);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).not.toContain('this is a bug');
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test.for(['plain', 'gzip'])('layers that claim to be those of another image, %s', async (form, { work }) => {
    const other = makeTar([{ path: 'f', content: 'fake' }]);
    const [packed, type] = form === 'plain' ? [other, 'tar'] : [gzipSync(other), 'tar+gzip'];
    const editManifest: HandMade['editManifest'] = (manifest) => ({
      ...manifest,
      layers: [{ ...(manifest['layers'] as object[])[0], mediaType: `application/vnd.oci.image.layer.v1.${type}` }],
    });
    writeLayout(work.path('own'), { layers: [layer] });
    writeLayout(work.path('other'), { layers: [packed], diffIds: [sha256(layer)], editManifest });
    const bases = ['own', 'other'].flatMap((name) => ['--build-context', `${name}=oci-layout://${work.path(name)}`]);
    const out = `type=oci,dest=${work.path('out')},tar=false`;
    const recoded = `${out},compression=${form === 'plain' ? 'gzip' : 'uncompressed'},force-compression=true`;
    const refusal = { code: 1, stderr: expect.stringMatching(/layer `.*` unpacks to `.*`, not to `/) };
    const build = 'FROM own\nCOPY --from=own /f /g\n';
    work.dockerfile(build);
    await work.build(bases);
    work.dockerfile('FROM other\nLABEL a=b\n');
    expect(await work.tryBuild([...bases, '-o', recoded])).toMatchObject(refusal);
    work.dockerfile(build);
    await work.build([...bases, '-o', out]);
    const { layers, config } = readImage(work.path('out'));
    expect(config.rootfs.diff_ids[0]).toBe(sha256(layer));
    expect(['f', 'g'].map((name) => flatten(layers).get(name)!.content.toString())).toEqual(['f', 'f']);
    work.dockerfile('FROM scratch\nCOPY --from=other /f /h\n');
    expect(await work.tryBuild(bases)).toMatchObject(refusal);
  });

  test('a blob that was changed', async ({ work }) => {
    const made = writeLayout(work.path('base'), { layers: [layer] });
    const file = work.path(`base/blobs/sha256/${made.layers[0]!.slice(7)}`);
    writeFileSync(file, Buffer.from(layer).fill('y', 512, 513));
    work.dockerfile('FROM base\nCOPY --from=base /f /g\n');
    const base = ['--build-context', `base=oci-layout://${work.path('base')}`];
    expect(await work.tryBuild(base)).toMatchObject({ code: 1, stderr: expect.stringMatching(/hashes to/) });
    expect(await layoutFaults(work.root)).toEqual([]);
    const manifest = work.path(`base/blobs/sha256/${made.manifest.slice(7)}`);
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('{', '{ '));
    expect(await work.tryBuild(base)).toMatchObject({ code: 1, stderr: expect.stringMatching(/is damaged/) });
    expect(readdirSync(path.join(work.root, 'tmp'))).toEqual([]);
  });
});
