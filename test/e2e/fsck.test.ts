import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { test, type Workspace } from '../support/workspace.js';

const DOCKERFILE = `FROM busybox AS builder
COPY source /source
RUN cp /source /made && ln /made /linked && mkfifo /pipe
FROM busybox
COPY --from=builder /made /made
COPY . /all
RUN cat /made > /again && rm -r /all
`;

interface Report {
  readonly damage: readonly { readonly what: string; readonly images: readonly string[]; readonly remedy: string }[];
  readonly leftovers: { readonly count: number };
  readonly checked: { readonly images: number; readonly records: number };
}

async function fsck(work: Workspace, ...args: readonly string[]): Promise<Report & { readonly code: number | null }> {
  const { code, stdout, stderr } = await work.run(['fsck', '--format', 'json', ...args]);
  expect(stderr).toBe('');
  return { ...(JSON.parse(stdout) as Report), code };
}

async function built(work: Workspace): Promise<void> {
  work.write({ source: 'source' });
  work.dockerfile(DOCKERFILE);
  await work.build();
}

/** Files of a folder of the store, the largest first. */
function files(work: Workspace, folder: string, pattern = /./): readonly string[] {
  const dir = path.join(work.root, folder);
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = found.map((entry) => path.join(entry.parentPath, entry.name)).filter((file) => pattern.test(file));
  return names.toSorted((a, b) => readFileSync(b).length - readFileSync(a).length);
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
}

/** The image can be built again, and the store is whole then. */
async function mendedByBuild(work: Workspace): Promise<void> {
  expect((await work.build()).text('again')).toBe('source');
  expect(await fsck(work)).toMatchObject({ damage: [], code: 0 });
}

describe('fsck', () => {
  test('finds nothing in a store that is whole, also beside a build', async ({ work }) => {
    await built(work);
    expect(await fsck(work)).toMatchObject({ damage: [], leftovers: { count: 0 }, checked: { images: 1 }, code: 0 });
    const { stdout } = await work.run(['fsck']);
    expect(stdout).toMatch(/^1 image, \d+ blobs \(.*\) and \d+ cache records checked: no damage\n$/);
    const building = work.startBuild(['--no-cache']).ended;
    const prune = async (): Promise<unknown> => await work.run(['prune', '-f', '-a']);
    const checks = [fsck(work), fsck(work, '--quick'), prune().then(() => fsck(work))];
    for (const check of await Promise.all(checks)) expect(check).toMatchObject({ damage: [], code: 0 });
    expect((await building).code).toBe(0);
  });

  test('a blob with wrong bytes, of an image', async ({ work }) => {
    await built(work);
    flip(files(work, 'blobs')[0]!);
    expect((await fsck(work, '--quick')).damage).toEqual([]);
    const { damage, code } = await fsck(work);
    expect([damage.length, code]).toEqual([1, 1]);
    expect(damage[0]).toMatchObject({ what: expect.stringContaining('does not hash'), images: ['test:latest'] });
    const repaired = await fsck(work, '--repair');
    expect(repaired.code).toBe(1);
    expect(repaired.damage[0]!.remedy).toContain('build, pull or load `test:latest` again');
    expect((await fsck(work)).damage[0]).toMatchObject({ what: expect.stringContaining('is missing') });
    await mendedByBuild(work);
    await work.run(['prune', '-f']);
    expect(readdirSync(path.join(work.root, 'damaged'))).toEqual([]);
  });

  test('a blob that is cut short or longer is found by its size', async ({ work }) => {
    await built(work);
    const [first, second] = files(work, 'blobs');
    truncateSync(first!, 100);
    appendFileSync(second!, 'x');
    const { damage } = await fsck(work, '--quick');
    expect(damage.filter(({ images }) => images[0] === 'test:latest').length).toBe(2);
    await fsck(work, '--repair');
    await mendedByBuild(work);
  });

  test.for([
    ['a manifest', (text: string) => text.includes('"layers"')],
    ['a config', (text: string) => text.includes('"rootfs"')],
  ] as const)('the document of an image: %s', async ([, matches], { work }) => {
    await built(work);
    for (const file of files(work, 'blobs')) {
      const text = readFileSync(file, 'utf8');
      if (text.startsWith('{') && matches(text))
        writeFileSync(file, text.replace('amd64', 'AMD64').replace('"size"', '"SIZE"'));
    }
    expect((await fsck(work)).damage.map(({ images }) => images[0])).toContain('test:latest');
    expect((await fsck(work, '--repair')).code).toBe(1);
    await mendedByBuild(work);
  });

  test('cached steps that are not whole are run again', async ({ work }) => {
    await built(work);
    // A step of a stage that is no part of the image has a tree alone.
    const trees = new Set(readdirSync(path.join(work.root, 'trees')));
    for (const tree of trees) rmSync(path.join(work.root, 'trees', tree), { recursive: true });
    const { damage } = await fsck(work);
    expect(damage.length).toBeGreaterThan(0);
    expect(damage.every(({ what, images }) => what.includes('neither a layer nor a tree') && images.length === 0)).toBe(
      true,
    );
    expect((await fsck(work, '--repair')).code).toBe(0);
    expect(await fsck(work)).toMatchObject({ damage: [], code: 0 });
    expect((await work.run(['prune', '-f'])).code).toBe(0);
    await mendedByBuild(work);
  });

  test('refs, records, tables of contents, facts and memories of contexts that cannot be read', async ({ work }) => {
    await built(work);
    const contexts = path.join(work.root, 'contexts');
    mkdirSync(contexts, { recursive: true });
    for (const version of ['1.1', '99.1']) {
      const text = `{"dir":${JSON.stringify(work.context)}}\ncontext ${version} sha256:0\n{}\n`;
      writeFileSync(path.join(contexts, `of-${version}`), text);
    }
    const record = files(work, 'records', /\.results$/)[0]!;
    const ref = files(work, 'refs', /\/r[0-9a-f]+\.json$/)[0]!;
    const fact = files(work, 'records/facts')[0]!;
    const [toc, other] = files(work, 'toc');
    for (const file of [record, ref, fact, toc!]) truncateSync(file, 10);
    writeFileSync(other!, readFileSync(other!, 'utf8').replace('"size":', '"mode":'));
    const { damage, code } = await fsck(work);
    expect([damage.length, code]).toEqual([6, 1]);
    expect((await fsck(work, '--repair')).code).toBe(0);
    expect(existsSync(path.join(contexts, 'of-99.1'))).toBe(true); // another version may read it
    for (const file of [path.join(contexts, 'of-1.1'), record, fact, toc!]) expect(existsSync(file)).toBe(false);
    expect(await fsck(work)).toMatchObject({ damage: [], code: 0 });
    await mendedByBuild(work);
  });

  test('a layer that is gone; leftovers are no damage', async ({ work }) => {
    await built(work);
    rmSync(files(work, 'blobs')[0]!);
    const { damage } = await fsck(work, '--quick');
    expect(damage.map(({ images }) => images[0] ?? 'cache').toSorted()).toEqual(['cache', 'test:latest']);
    await fsck(work, '--repair');
    await mendedByBuild(work);
    const dir = path.join(work.root, 'tmp/dead');
    writeFileSync(dir, '');
    expect(await fsck(work)).toMatchObject({ damage: [], leftovers: { count: 1 }, code: 0 });
    await work.run(['prune', '-f']);
    expect(existsSync(dir)).toBe(false);
  });

  test('a list of images that cannot be read is made anew, without names', async ({ work }) => {
    await built(work);
    const index = path.join(work.root, 'index.json');
    const { digest } = JSON.parse(readFileSync(index, 'utf8')).manifests[0];
    for (const damage of [() => rmSync(index), () => writeFileSync(index, '{"schemaVe')]) {
      damage();
      const pruned = await work.run(['prune', '-f', '-a']);
      expect([pruned.code, pruned.stderr]).toEqual([1, expect.stringContaining('index.json')]);
    }
    expect((await fsck(work)).damage[0]!.what).toContain('index.json');
    const { damage } = await fsck(work, '--repair');
    expect(damage[0]!.remedy).toContain('without their names');
    expect(await fsck(work)).toMatchObject({ damage: [], code: 0 });
    const images = JSON.parse((await work.run(['images', '--format', 'json'])).stdout) as { readonly digest: string }[];
    expect(images.map((one) => one.digest)).toContain(digest);
    expect((await work.run(['tag', digest, 'test'])).code).toBe(0);
    expect((await work.build()).ran).toEqual([]);
  });
});
