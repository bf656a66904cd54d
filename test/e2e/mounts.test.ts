import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { test } from '../support/workspace.js';

const SECRET = 'hunter2-is-not-a-secret';

describe('RUN --mount', () => {
  test('a secret is seen by its step and left nowhere: not in the image, the store or the output', async ({ work }) => {
    writeFileSync(work.path('token'), SECRET);
    work.dockerfile(`FROM busybox
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size
RUN --mount=type=secret,id=token,env=TOKEN echo \${#TOKEN} > /length
RUN --mount=type=secret,id=token,required false
`);
    const args = ['--secret', `id=token,src=${work.path('token')}`];
    const failed = await work.tryBuild(args);
    expect(failed.code).toBe(1);
    expect(failed.output).not.toContain(SECRET);
    work.dockerfile(readFileSync(path.join(work.context, 'Dockerfile'), 'utf8').replace(/.*required false\n/, ''));
    const built = await work.build(args);
    expect([built.text('size').trim(), built.text('length').trim()]).toEqual([
      String(SECRET.length),
      String(SECRET.length),
    ]);
    expect(built.tree.has('run/secrets')).toBe(false);
    expect(filesWith(SECRET, work.root)).toEqual([]);
  });

  test('another value of a secret is no reason to run again', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN --mount=type=secret,id=T,env=T echo "$T" | wc -c > /n\n');
    await work.build(['--secret', 'id=T'], { env: { T: 'one' } });
    const again = await work.build(['--secret', 'id=T'], { env: { T: 'other' } });
    expect(again.ran).toEqual([]);
  });

  test('a required secret that is not given is named', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN --mount=type=secret,id=key,required cat /run/secrets/key\n');
    const { code, output } = await work.tryBuild();
    expect(code).toBe(1);
    expect(output).toContain('secret key: not found');
    expect(output).toContain('--secret id=key');
  });

  test('a cache outlives the build, and is no part of the image', async ({ work }) => {
    work.dockerfile(`FROM busybox
RUN --mount=type=cache,target=/cache echo x >> /cache/log; wc -l < /cache/log > /count
`);
    expect((await work.build()).text('count').trim()).toBe('1');
    const again = await work.build(['--no-cache']);
    expect(again.text('count').trim()).toBe('2');
    expect(again.lastLayer).toEqual(['count']);
  });

  test('a locked cache is used by one step at a time', async ({ work }) => {
    const step = 'cd /c; test ! -e busy && touch busy && sleep 0.3 && rm busy && touch';
    work.dockerfile(`FROM busybox AS a
RUN --mount=type=cache,id=l,sharing=locked,target=/c ${step} /a
FROM busybox AS b
RUN --mount=type=cache,id=l,sharing=locked,target=/c ${step} /b
FROM scratch
COPY --from=a /a /
COPY --from=b /b /
`);
    expect([...(await work.build()).tree.keys()].sort()).toEqual(['a', 'b']);
  });

  test('the context is lent without what is ignored, belongs to root, and what is written to it is lost', async ({
    work,
  }) => {
    work.write({ '.dockerignore': 'hidden\n', hidden: 'x', 'dir/seen': 'y' });
    work.dockerfile(`FROM busybox
RUN --mount=target=/m,rw ls /m > /list && stat -c %u:%g /m/dir/seen > /owner && echo z > /m/new && rm /m/dir/seen
RUN --mount=target=/m ls /m/dir > /after
`);
    const built = await work.build();
    expect(built.text('list')).toBe('Dockerfile\ndir\n');
    expect(built.text('owner')).toBe('0:0\n');
    expect(built.text('after')).toBe('seen\n');
    expect(readdirSync(work.context)).toContain('hidden');
    expect(readFileSync(path.join(work.context, 'dir/seen'), 'utf8')).toBe('y');
  });

  test('a step runs again when what it mounts has changed, and only then', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN --mount=source=used,target=/used cat /used > /o\n');
    work.write({ used: '1', other: '1' });
    await work.build();
    work.write({ other: '2' });
    expect((await work.build()).ran).toEqual([]);
    work.write({ used: '2' });
    expect((await work.build()).text('o')).toBe('2');
  });

  test('an ssh agent is lent as a socket with the mode that is asked for', async ({ work }) => {
    const agent = createServer();
    await new Promise<void>((resolve) => agent.listen(work.path('agent'), resolve));
    work.dockerfile(`FROM busybox
RUN --mount=type=ssh,mode=0666 stat -c '%F %a' $SSH_AUTH_SOCK > /o
RUN test ! -e /run/buildkit
`);
    const built = await work.build(['--ssh', `default=${work.path('agent')}`]);
    agent.close();
    expect(built.text('o')).toBe('socket 666\n');
  });

  test('also where the store lies so deep that the name of a socket in it would be too long', async ({ work }) => {
    const agent = createServer();
    const deep = path.join('d'.repeat(60), 'e'.repeat(60));
    mkdirSync(work.path(deep), { recursive: true });
    await new Promise<void>((resolve) => agent.listen(work.path('agent'), resolve));
    work.dockerfile('FROM busybox\nRUN --mount=type=ssh stat -c %F $SSH_AUTH_SOCK > /o\n');
    const root = work.path(path.join(deep, 'store'));
    const built = await work.tryBuild([
      '--ssh',
      `default=${work.path('agent')}`,
      '--root',
      root,
      '-o',
      work.path('out'),
    ]);
    agent.close();
    expect(built).toMatchObject({ code: 0 });
    expect(readFileSync(work.path('out/o'), 'utf8')).toBe('socket\n');
  });
});

/** Files below `dir` that hold `text`. */
function filesWith(text: string, dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}
