import { existsSync, readdirSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { blobFaults, layoutFaults } from '../support/check-layout.js';
import { describeEntry } from '../support/image.js';
import { test, type Built, type Workspace } from '../support/workspace.js';

const DOCKERFILE = `FROM busybox AS builder
COPY source /source
RUN --mount=type=cache,target=/cache cp /source /made && echo cached > /cache/file
FROM busybox
COPY --from=builder /made /made
RUN cat /made > /again
`;

function write(work: Workspace, source = 'source'): void {
  work.write({ source });
  work.dockerfile(DOCKERFILE);
}

function contents(built: Built): readonly string[] {
  return built.image.layers.flatMap((layer, i) => layer.map((entry) => `${i} ${describeEntry(entry)}`));
}

async function prune(work: Workspace, ...args: readonly string[]): Promise<string> {
  const { code, stdout, output } = await work.run(['prune', '-f', ...args]);
  expect(code, output).toBe(0);
  expect(stdout).toMatch(/^Total: +\d/m);
  return stdout;
}

/** Names in folders of the store, all of them files and trees of the cache. */
function left(work: Workspace, ...folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) => {
    const dir = path.join(work.root, folder);
    return existsSync(dir) ? readdirSync(dir).map((name) => `${folder}/${name}`) : [];
  });
}

/** Makes everything in the store seem to have been used so long ago. */
function age(work: Workspace, hours: number): void {
  const then = Date.now() / 1000 - hours * 3600;
  for (const folder of ['records', 'refs', 'blobs', 'locks', 'mounts']) {
    const entries = readdirSync(path.join(work.root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries) utimesSync(path.join(entry.parentPath, entry.name), then, then);
  }
}

describe('prune', () => {
  test('leaves images as they are, and all that they were made of last', async ({ work }) => {
    write(work);
    const before = await work.build();
    const out = await prune(work);
    expect(out).toContain('LAST ACCESSED');
    expect(left(work, 'mounts')).toEqual([]);
    expect(await layoutFaults(work.root)).toEqual([]);
    const after = await work.build();
    expect(after.ran).toEqual([]);
    expect(after.stdout).toBe(before.stdout);
    // The stage that only gave a file is made again when it is needed.
    work.write({ source: 'other' });
    expect((await work.build()).text('again')).toBe('other');
  });

  test('with `-a` takes all but named images; a build then makes the same again', async ({ work }) => {
    write(work);
    const before = await work.build();
    await prune(work, '-a');
    expect(left(work, 'refs', 'trees', 'toc', 'mounts', 'work', 'tmp', 'leases')).toEqual([]);
    expect(await layoutFaults(work.root)).toEqual([]);
    expect((await work.run(['history', 'test'])).code).toBe(0);
    const after = await work.build();
    expect(after.cached).toEqual([]);
    expect(contents(after)).toEqual(contents(before));
  });

  test('takes images that have lost their name; a store without images is empty then', async ({ work }) => {
    write(work);
    await work.build();
    work.write({ source: 'other' });
    await work.build();
    const listed = async (): Promise<number> =>
      (JSON.parse((await work.run(['images', '--format', 'json'])).stdout) as unknown[]).length;
    expect(await listed()).toBe(2);
    await prune(work);
    expect(await listed()).toBe(1);
    await work.run(['rmi', 'test']);
    await prune(work);
    expect(left(work, 'blobs/sha256', 'refs', 'trees', 'toc', 'mounts')).toEqual([]);
    const facts = left(work, 'records/facts').filter((name) => !name.includes('/isolation-'));
    expect(facts).toEqual([]);
  });

  test('goes by the last use: `until`, and sizes', async ({ work }) => {
    write(work);
    await work.build();
    age(work, 48);
    work.write({ source: 'other' });
    await work.build(['-t', 'other']);
    const before = left(work, 'refs').length;
    await prune(work, '-a', '--filter', 'until=24h');
    expect(left(work, 'refs').length).toBeLessThan(before);
    expect((await work.build(['-t', 'other'])).ran).toEqual([]);
    const refs = left(work, 'refs');
    await prune(work, '-a', '--max-used-space', '1GB');
    expect(left(work, 'refs')).toEqual(refs);
    await prune(work, '-a', '--keep-storage', '1');
    expect(left(work, 'refs')).toEqual([]);
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test('takes what is asked for by type, and says what it does not know', async ({ work }) => {
    write(work);
    await work.build();
    await prune(work, '-a', '--filter', 'type=exec.cachemount');
    expect(left(work, 'mounts')).toEqual([]);
    expect((await work.build()).ran).toEqual([]);
    for (const filter of ['until=soon', 'type=other', 'colour=red', 'until!=1h']) {
      const { code, stderr } = await work.run(['prune', '-f', '--filter', filter]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`invalid filter \`${filter}\``)]);
    }
  });

  test('asks first, and does nothing where nobody can answer', async ({ work }) => {
    write(work);
    await work.build();
    const refs = left(work, 'refs');
    const { code, stderr } = await work.run(['prune', '-a']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--force')]);
    expect(left(work, 'refs')).toEqual(refs);
  });

  test('takes nothing of a build that runs, and what a killed one has left', async ({ work }) => {
    write(work);
    const expected = contents(await work.build([], {}, work.path('other')));
    work.dockerfile(DOCKERFILE.replace('cp /source', 'echo started; sleep 3; cp /source'));
    const running = work.startBuild();
    await running.saying(/started$/m);
    await prune(work, '-a');
    const { code, output } = await running.ended;
    expect(code, output).toBe(0);
    expect(await layoutFaults(work.root)).toEqual([]);
    expect(contents(await work.build()).length).toBe(expected.length);
    await prune(work, '-a');
    const killed = work.startBuild(['--no-cache']);
    await killed.saying(/started$/m);
    killed.kill('SIGKILL');
    await killed.ended;
    await prune(work, '-a');
    expect(left(work, 'refs', 'trees', 'toc', 'work', 'tmp', 'leases')).toEqual([]);
    expect(await blobFaults(work.root)).toEqual([]);
  });

  test('several at a time take turns', async ({ work }) => {
    write(work);
    await work.build();
    const outs = await Promise.all([1, 2, 3].map(() => prune(work, '-a')));
    expect(outs.filter((out) => /^Total: +0B$/m.test(out)).length).toBe(2);
    expect(await layoutFaults(work.root)).toEqual([]);
  });
});

describe('the configuration', () => {
  const config = (work: Workspace, text: string): { readonly env: Record<string, string> } => {
    work.write({ 'config.toml': text }, work.dir);
    return { env: { SLIPWAY_CONFIG: work.path('config.toml') } };
  };

  test('keeps the cache small after a build that made something, and only then', async ({ work }) => {
    write(work);
    await work.build();
    age(work, 1);
    const rules = config(work, '[worker.oci]\n[[worker.oci.gcpolicy]]\nall = true\nmaxUsedSpace = "1kB"\n');
    const refs = left(work, 'refs');
    expect((await work.build([], rules)).ran).toEqual([]);
    expect(left(work, 'refs')).toEqual(refs);
    work.write({ source: 'other' });
    const built = await work.build([], rules);
    expect(built.stderr).toMatch(/removed [\d.]+[kM]?B of cache/);
    const kept = left(work, 'refs');
    expect(refs.filter((name) => kept.includes(name)).length).toBeLessThan(refs.length);
    expect((await work.build([], rules)).ran).toEqual([]);
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test('that cannot be read is told, and the build is done', async ({ work }) => {
    write(work);
    const built = await work.build([], config(work, '[worker.oci]\nmaxUsedSpac = 1\n'));
    expect(built.stderr).toMatch(/the cache could not be kept small: .*config\.toml:2: unknown key `maxUsedSpac`/);
    expect(built.text('again')).toBe('source');
  });
});

describe('du', () => {
  test('tells what prune would free', async ({ work }) => {
    write(work);
    await work.build();
    const du = async (...args: readonly string[]): Promise<readonly Record<string, unknown>[]> =>
      (await work.run(['du', '--format', 'json', ...args])).stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const units = await du();
    expect(units.map(({ Type }) => Type)).toContain('exec.cachemount');
    expect((await du('--filter', 'type=exec.cachemount')).length).toBe(1);
    expect((await du('--filter', 'shared')).every(({ Shared }) => Shared === true)).toBe(true);
    expect((await du('--filter', 'until=1h')).length).toBe(0);
    const { stdout } = await work.run(['du']);
    expect(stdout).toMatch(/^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n/);
    expect(stdout).toMatch(/^Total: +[\d.]+[kM]?B$/m);
    await prune(work, '-a');
    expect(await du()).toEqual([]);
  });
});
