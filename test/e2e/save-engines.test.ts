import path from 'node:path';
import { describe, expect } from 'vitest';
import { Dockerd, type DockerdKind } from '../support/dockerd.js';
import { Podman } from '../support/podman.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { test, type Workspace } from '../support/workspace.js';

const PATIENCE_MS = 180_000;
const SAID = 'saved and run\n';

/** An archive with two images, one of them with two names; saved, loaded into another store and saved again. */
async function saved(work: Workspace): Promise<string> {
  work.dockerfile('FROM busybox\nRUN echo saved and run >/said\nCMD ["cat", "/said"]\n');
  await work.build(['-t', 'saved:1', '-t', 'registry.example:5000/saved/two:2']);
  work.dockerfile('FROM saved:1\nCMD ["echo", "the other"]\n');
  await work.build(['-t', 'other:1']);
  const [first, second, root] = [work.path('first.tar'), work.path('second.tar'), work.path('other-store')];
  const names = ['saved:1', 'registry.example:5000/saved/two:2', 'other:1'];
  for (const args of [
    ['save', '-o', first, ...names],
    ['load', '--root', root, '-i', first],
    ['save', '--root', root, '-o', second, ...names],
  ]) {
    const { code, output } = await work.run(args);
    expect(code, output).toBe(0);
  }
  return second;
}

for (const kind of ['installed', 'newer', 'newer with containerd’s store'] satisfies DockerdKind[]) {
  const missing = Dockerd.missing(kind);
  const title = `Docker, ${kind}, loads and runs what was saved${missing === undefined ? '' : ` (skipped: ${missing})`}`;
  describe.skipIf(missing)(title, () => {
    test('all images under all names', { timeout: PATIENCE_MS }, async ({ work }) => {
      const archive = await saved(work);
      const dir = makeTempDir('d');
      try {
        await using dockerd = await Dockerd.start(path.join(dir, 'engine'), kind);
        await dockerd.docker('load', '--input', archive);
        const ids = await Promise.all(
          ['saved:1', 'registry.example:5000/saved/two:2'].map((one) => dockerd.imageId(one)),
        );
        expect(ids[0]).toBe(ids[1]);
        expect(await dockerd.docker('run', '--rm', '--network', 'none', 'saved:1')).toBe(SAID);
        expect(await dockerd.docker('run', '--rm', '--network', 'none', 'other:1')).toBe('the other\n');
      } finally {
        removeTempDir(dir);
      }
    });
  });
}

describe('podman', () => {
  const missing = Podman.missing();
  test.skipIf(missing)(
    `loads what was saved, and saves what is loaded (${missing ?? 'as this user'})`,
    { timeout: PATIENCE_MS },
    async ({ work }) => {
      const archive = await saved(work);
      await using podman = new Podman(work.path('podman'));
      await podman.podman('load', '--input', archive);
      // Of several images podman takes the short names of `manifest.json` for names of its own registry, `localhost`.
      for (const name of ['saved:1', 'registry.example:5000/saved/two:2', 'other:1']) await podman.imageId(name);
      for (const format of ['docker-archive', 'oci-archive']) {
        const file = work.path(`${format}.tar`);
        await podman.podman('save', '--format', format, '--output', file, 'registry.example:5000/saved/two:2');
        const { stdout } = await work.run(['load', '--root', work.path(format), '-i', file]);
        expect(stdout).toBe('Loaded image: registry.example:5000/saved/two:2\n');
      }
    },
  );
});
