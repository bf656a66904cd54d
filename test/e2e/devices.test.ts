import { describe, expect } from 'vitest';
import { whyNotRung } from '../support/rung.js';
import { makeTar } from '../support/tar.js';
import { isRoot, test, type Built, type Workspace } from '../support/workspace.js';

const env = { SOURCE_DATE_EPOCH: '1700000000' };

const devices = makeTar([
  { path: 'dev0', type: 'dir' },
  { path: 'dev0/null', type: 'char', devMajor: 1, devMinor: 3, mode: 0o666 },
  { path: 'dev0/again', type: 'hardlink', linkname: 'dev0/null', mode: 0o666 },
  { path: 'dev0/disk', type: 'block', devMajor: 7, devMinor: 1, uid: 0, gid: 6, mode: 0o660 },
  { path: 'dev0/file', content: 'f' },
  { path: 'gone', type: 'dir' },
  { path: 'gone/null', type: 'char', devMajor: 1, devMinor: 3 },
  { path: 'gone/file', content: 'f' },
  { path: 'left', type: 'dir' },
  { path: 'left/null', type: 'char', devMajor: 1, devMinor: 3 },
  { path: 'left/file', content: 'f' },
]);

/** A base that has devices, and the same from an archive, with steps before and after; all of it seen by later ones. */
const DOCKERFILE = `FROM busybox AS devices
ADD devices.tar /
FROM devices AS made
RUN rm -r /gone && mkdir /gone && rm -r /left && echo x > /dev0/file
RUN touch /dev0/new
FROM busybox
RUN echo before > /before
ADD devices.tar /x/
RUN echo after > /x/dev0/after && rm -r /x/gone && mkdir /x/gone && touch /x/gone/null
COPY --from=made / /made/
COPY --from=devices /dev0/null /null
RUN rm /made/dev0/file
COPY --from=made /dev0 /last/
`;

async function built(work: Workspace, isolation: string): Promise<Built> {
  const output = ['-o', `type=oci,rewrite-timestamp=true,dest=${work.path('image.tar')}`, '-t', isolation];
  return await work.build([...output, '--no-cache', '--isolation', isolation], { env }, work.path(isolation));
}

const rungs = ['userns', 'userns-single'] as const;
const whyNot = new Map(await Promise.all(rungs.map(async (rung) => [rung, await whyNotRung(rung)] as const)));
const told = [...whyNot].flatMap(([rung, reason]) => (reason === undefined ? [] : `${rung}: ${reason}`)).join(', ');
const offered = rungs.filter((rung) => whyNot.get(rung) === undefined);

describe(`device nodes that a worker may not make ${told && `(${told})`}`, () => {
  test.skipIf(isRoot).for(offered)('stay in the image on %s', async (isolation, { work }) => {
    work.write({ 'devices.tar': devices });
    work.dockerfile(DOCKERFILE);
    const { tree, image } = await built(work, isolation);
    for (const at of ['x/dev0/', 'made/dev0/', 'last/']) {
      expect(tree.get(`${at}null`)).toMatchObject({ type: 'char', devMajor: 1, devMinor: 3, mode: 0o666 });
      const type = at.startsWith('x') ? 'block' : 'char'; // what COPY makes of it, as in BuildKit
      expect(tree.get(`${at}disk`)).toMatchObject({ type, devMajor: 7, devMinor: 1, gid: 6 });
    }
    expect(tree.get('null')).toMatchObject({ type: 'char' });
    expect(tree.get('x/gone/null')).toMatchObject({ type: 'file' });
    expect([...tree.keys()].filter((name) => /^made\/(gone|left)/.test(name))).toEqual(['made/gone']);
    const names = image.layers.map((layer) => layer.map(({ path }) => path));
    expect(names[3]).toEqual(['x', 'x/dev0', 'x/dev0/after', 'x/gone', 'x/gone/.wh.file', 'x/gone/null']);
  });

  test.skipIf(!isRoot || whyNot.get('userns-single') !== undefined)(
    'are in the same layers on a rung that may, and on one that may not',
    async ({ work }) => {
      work.write({ 'devices.tar': devices });
      work.dockerfile(DOCKERFILE);
      const best = await built(work, 'root');
      expect((await built(work, 'userns-single')).diffIds).toEqual(best.diffIds);
    },
  );
});
