import path from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import { readImage } from '../support/image.js';
import { test, type Workspace } from '../support/workspace.js';

const EPOCH = '1700000000';

const copies: readonly string[] = [
  'COPY a.txt /x/',
  'COPY --chown=5:6 dir /y',
  'COPY --chmod=0700 a.txt dir/b /x/z/',
  'COPY --link dir /l/m',
  'COPY --exclude=b dir /y/e',
  'COPY . /all',
  'WORKDIR /w/$v',
  'WORKDIR sub',
  'COPY a.txt rel',
  'COPY <<H /h/$v\ntext $v\nH',
  'ENV v=2',
  'ENV u=${v}3',
  'USER 7:8',
];
const runs: readonly string[] = [
  'RUN rm -rf /x; mkdir -p /x/new; echo 1 > /x/new/f',
  'RUN ln -s a /s$v 2>/dev/null || true',
  'RUN chmod -R go-w /w 2>/dev/null || true',
];

let builds = 0;

async function diffIds(
  work: Workspace,
  lines: readonly string[],
  args: readonly string[] = [],
): Promise<readonly string[]> {
  const dest = work.path(`layout-${builds++}`);
  work.write({ Dockerfile: `FROM busybox\n${lines.join('\n')}\n` }, work.dir);
  const output = [
    '-f',
    path.join(work.dir, 'Dockerfile'),
    '-o',
    `type=oci,tar=false,dest=${dest},rewrite-timestamp=true`,
  ];
  const ended = await work.tryBuild([...output, ...args], { env: { SOURCE_DATE_EPOCH: EPOCH } });
  expect(ended.code, `${lines.join('\n')}\n${ended.output}`).toBe(0);
  return readImage(dest).config.rootfs.diff_ids;
}

test(
  'a build from the cache, a new build, and one with a process on top have the same layers',
  { timeout: 240_000 },
  async ({ work }) => {
    work.write({ 'a.txt': 'a', 'dir/b': 'b', 'dir/c/d': 'd' });
    const steps = fc.array(fc.constantFrom(...copies), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(...runs), steps, async (before, run, after) => {
        const plain = await diffIds(work, before);
        const all = [...before, 'USER 0', run, ...after];
        const built = await diffIds(work, all);
        expect(built.slice(0, plain.length)).toEqual(plain);
        expect(await diffIds(work, all)).toEqual(built);
        expect(await diffIds(work, all, ['--no-cache'])).toEqual(built);
      }),
      { numRuns: 6, endOnFailure: true },
    );
  },
);
