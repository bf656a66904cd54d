import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.js';
import { mount, unmount } from '../../base/linux/mount.js';
import { probeNamespaces } from './probe-namespaces.js';

const base = mkdtempSync(path.join(tmpdir(), 'slipway-probe-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const options = { env: process.env, signal: new AbortController().signal };

/** Calls `work` with a directory on an overlayfs, on which no other one can be mounted. */
async function onOverlay<T>(work: (dir: string) => Promise<T>): Promise<T> {
  for (const name of ['l', 'u', 'w', 'm']) mkdirSync(path.join(base, name), { recursive: true });
  const data = fromText('lowerdir=l,upperdir=u,workdir=w');
  const target = path.join(base, 'm');
  mount({ source: 'overlay', target: fromText(target), type: 'overlay', data, cwd: fromText(base) });
  try {
    return await work(target);
  } finally {
    unmount(fromText(target));
  }
}

describe.skipIf(process.getuid?.() !== 0)('as root', () => {
  test('trees are stacked by the kernel where it can, and the way back is clean', async () => {
    const found = await probeNamespaces('root', base, options);
    expect(found).toMatchObject({ available: true, trees: 'overlay' });
    expect(found.refused).toBeUndefined();
    expect(readdirSync(base)).toEqual([]);
  });

  test('where overlayfs cannot be mounted the next way is taken, and it is told why', async () => {
    const found = await onOverlay((dir) => probeNamespaces('root', dir, options));
    expect(found.available).toBe(true);
    const { trees, refused } = found;
    expect(trees).toBe('plain');
    expect(refused?.[0]).toEqual({ trees: 'overlay', reason: expect.stringContaining('wrong fs type') });
    expect(found.reason).toContain('overlayfs cannot be mounted on overlay');
    expect(readdirSync(path.join(base, 'u'))).toEqual([]);
  });

  test.skipIf(!existsSync('/usr/bin/fuse-overlayfs') || !existsSync('/dev/fuse'))(
    'a snapshotter that is asked for is the only one (needs fuse-overlayfs and /dev/fuse)',
    async () => {
      const asked = (name: string): typeof options => ({
        ...options,
        env: { ...options.env, SLIPWAY_SNAPSHOTTER: name },
      });
      expect(await probeNamespaces('root', base, asked('fuse-overlayfs'))).toMatchObject({ trees: 'fuse' });
      expect(await probeNamespaces('root', base, asked('native'))).toMatchObject({ trees: 'plain' });
      const found = await onOverlay((dir) => probeNamespaces('root', dir, asked('overlayfs')));
      expect(found).toMatchObject({ available: false, obstacle: 'trees' });
      await expect(probeNamespaces('root', base, asked('btrfs'))).rejects.toThrow('unknown snapshotter `btrfs`');
    },
  );
});
