import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { exampleBuild, EXAMPLE_IMAGES } from '../../scripts/example.mjs';
import { layoutFaults } from '../support/check-layout.js';
import { slipway, slipwayOk, startSlipway } from '../support/slipway.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { test } from '../support/workspace.js';
import { firstStatus, freePort } from '../support/answering.js';

/** From base to OCI layout; `npm test` makes them and says where they are. */
const bases = process.env['SLIPWAY_TEST_BASES'];

describe.skipIf(!bases)('the main job: examples/node, before and after (needs SLIPWAY_TEST_BASES)', () => {
  const layouts = new Map(
    Object.entries(JSON.parse(bases ?? '{}') as Record<string, string>).filter(([name]) => name.startsWith('node:')),
  );
  let dir: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    dir = makeTempDir('example');
    env = { SLIPWAY_ROOT: path.join(dir, 'store') };
    for (const image of EXAMPLE_IMAGES) await slipwayOk(exampleBuild(image, layouts), { env });
  }, 600_000);
  afterAll(() => removeTempDir(dir), 120_000); // tens of thousands of files

  test.for(EXAMPLE_IMAGES.map(({ tag }) => tag))('%s answers over HTTP', async (tag) => {
    const port = await freePort();
    const running = startSlipway(['run', '-e', `PORT=${port}`, tag], { env });
    try {
      const url = `http://127.0.0.1:${port}`;
      expect(await firstStatus(`${url}/healthz`)).toBe(200);
      const note = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"text":"hello"}' };
      expect((await fetch(`${url}/notes`, note)).status).toBe(201);
    } finally {
      running.child.kill('SIGTERM');
      await running.ended;
    }
  });

  test('the multi-stage image is at least 60 % smaller, with a user who is not root', async () => {
    const [before, after] = EXAMPLE_IMAGES.map(({ tag }) => tag) as [string, string];
    const { stdout } = await slipwayOk(['compare', '--format', 'json', before, after], { env });
    const { a, b, saved } = JSON.parse(stdout) as Record<'a' | 'b', { size: number; user: string }> & { saved: number };
    expect(b.size).toBeLessThan(a.size * 0.4);
    expect(saved).toBeCloseTo(1 - b.size / a.size);
    expect([a.user, b.user]).toEqual(['root', 'node']);
  });

  test('a build of nothing new runs nothing, and gives the same image', async () => {
    const image = EXAMPLE_IMAGES[1]!;
    const first = await slipwayOk(['inspect', image.tag], { env });
    const again = await slipwayOk([...exampleBuild(image, layouts), '--progress=plain'], { env });
    expect(again.stderr).toContain(' 0 steps run');
    expect(again.stderr).not.toContain('isolation:');
    expect((await slipwayOk(['inspect', image.tag], { env })).stdout).toBe(first.stdout);
  });

  test('other tools and our validator read what was built', async () => {
    expect(await layoutFaults(env['SLIPWAY_ROOT']!)).toEqual([]);
    const layout = path.join(dir, 'layout');
    const image = EXAMPLE_IMAGES[1]!;
    await slipwayOk([...exampleBuild(image, layouts), '-o', `type=oci,dest=${layout},tar=false`], { env });
    const inspected = spawnSync('skopeo', ['inspect', '--config', `oci:${layout}:multi`], { encoding: 'utf8' });
    expect(JSON.parse(inspected.stdout)).toMatchObject({ config: { User: 'node', WorkingDir: '/app' } });
    const rootless = process.getuid!() === 0 ? [] : ['--rootless'];
    const bundle = path.join(dir, 'bundle');
    const unpacked = spawnSync('umoci', ['unpack', ...rootless, '--image', `${layout}:multi`, bundle], {
      encoding: 'utf8',
    });
    expect([unpacked.status, unpacked.stderr]).toEqual([0, expect.any(String)]);
    const listed = spawnSync('ls', [path.join(bundle, 'rootfs/app')], { encoding: 'utf8' });
    expect(listed.stdout.trim().split('\n')).toEqual(['dist', 'node_modules', 'package.json']);
    spawnSync('chmod', ['-R', 'u+rwX', bundle]);
  });

  test('an image that is not there is an error', async () => {
    expect((await slipway(['compare', 'nosuch:1', EXAMPLE_IMAGES[1]!.tag], { env })).code).toBe(1);
  });
});
