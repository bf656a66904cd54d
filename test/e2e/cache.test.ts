import { renameSync, utimesSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { test } from '../support/workspace.js';

const DOCKERFILE = `FROM busybox AS builder
COPY src /src
RUN mkdir /out && cat /src/used > /out/program
FROM busybox AS other
RUN echo other > /other
FROM busybox
COPY --from=builder /out /out
COPY --from=other /other /other
RUN cat /out/program > /final
`;

describe('the cache', () => {
  test('an unchanged build runs nothing, starts no worker and gives the same image', async ({ work }) => {
    work.write({ 'src/used': '1', 'src/unused': '1' });
    work.dockerfile(DOCKERFILE);
    const first = await work.build();
    expect(first.hadWorker).toBe(true);
    const again = await work.build();
    expect(again.ran).toEqual([]);
    expect(again.hadWorker).toBe(false);
    expect(again.stdout).toBe(first.stdout);
  });

  test('a changed source reruns what depends on it, and nothing behind the same output', async ({ work }) => {
    work.write({ 'src/used': '1', 'src/unused': '1' });
    work.dockerfile(DOCKERFILE);
    const first = await work.build();
    work.write({ 'src/unused': '2' });
    const same = await work.build();
    expect(same.ran).toEqual(['COPY src /src', 'RUN mkdir /out && cat /src/used > /out/program']);
    expect(same.cached).toContain('RUN cat /out/program > /final');
    expect(same.diffIds).toEqual(first.diffIds);
    work.write({ 'src/used': '2' });
    const changed = await work.build();
    expect(changed.ran).toEqual([
      'COPY src /src',
      'RUN mkdir /out && cat /src/used > /out/program',
      'COPY --from=builder /out /out',
      'COPY --from=other /other /other',
      'RUN cat /out/program > /final',
    ]);
    expect(changed.cached).not.toContain('COPY src /src');
    expect(changed.text('final')).toBe('2');
  });

  test('times, the place of the context and what .dockerignore leaves out do not count', async ({ work }) => {
    work.write({ 'src/used': '1', '.dockerignore': 'ignored\n', ignored: '1' });
    work.dockerfile('FROM busybox\nCOPY . /all\nRUN touch /x\n');
    const first = await work.build();
    utimesSync(`${work.context}/src/used`, 1, 1);
    work.write({ ignored: '2' });
    expect((await work.build()).ran).toEqual([]);
    renameSync(work.context, work.path('moved'));
    const moved = await work.run([
      'build',
      '--progress',
      'plain',
      '-q',
      '--build-context',
      work.buildArgs().find((one) => one.startsWith('busybox='))!,
      work.path('moved'),
    ]);
    expect(moved.stdout).toBe(first.stdout);
  });

  test('a build argument counts where it is used, and only from its ARG on', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN echo early > /early\nARG WHO\nRUN echo $WHO > /who\n');
    await work.build(['--build-arg', 'WHO=a']);
    const other = await work.build(['--build-arg', 'WHO=b']);
    expect(other.ran).toEqual(['RUN echo b > /who']);
    expect(other.cached).toContain('RUN echo early > /early');
    expect(other.text('who')).toBe('b\n');
    expect((await work.build(['--build-arg', 'WHO=a'])).ran).toEqual([]);
  });

  test('--no-cache runs everything, and what it made is used afterwards', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /uuid\nRUN cp /uuid /copy\n');
    const first = await work.build();
    expect(first.text('uuid')).toMatch(/^[0-9a-f-]{36}\n$/);
    const fresh = await work.build(['--no-cache']);
    expect(fresh.ran).toHaveLength(2);
    expect(fresh.text('uuid')).not.toBe(first.text('uuid'));
    expect(fresh.text('copy')).toBe(fresh.text('uuid'));
    const after = await work.build();
    expect(after.ran).toEqual([]);
    expect(after.text('uuid')).toBe(fresh.text('uuid'));
  });

  test('two builds at once in one store both succeed, with the same result', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN sleep 0.2; echo a > /a\nRUN echo b > /b\n');
    const [one, two] = await Promise.all([work.build(['-t', 'one']), work.build(['-t', 'two'])]);
    expect([one.stdout, two.stdout]).toEqual([expect.stringMatching(/^sha256:/), expect.stringMatching(/^sha256:/)]);
    expect((await work.build()).ran).toEqual([]);
  });

  test('whatever a step did to what is copied from it, the copy is what it left', async ({ work }) => {
    work.write({ 'd/x/f': '1', 'd/x/g': '1', 'd/x/sub/deep': '1', 'd/y/f': '2', 'd/y/h': '2', 'd/z': '3' });
    const told = `(stat -c '%n %a %F %N' $(find . | sort) && cat $(find . -type f | sort))`;
    work.dockerfile(`FROM busybox AS a
COPY d /d
ARG CHANGE
RUN sleep 0.2 && cd /d && eval "$CHANGE" && ${told} > /told
FROM busybox
COPY --from=a /d /d
COPY --from=a /told /
RUN cd /d && ${told} | cmp - /told
`);
    const changes = [
      'true',
      'echo 2 > x/f',
      'rm x/f',
      'rm -r x',
      'rm -r x/sub && mkdir x/sub',
      'rm -r x && mkdir x && echo 1 > x/f',
      'mv x w',
      'mv x w && mkdir x && echo 3 > x/g',
      'mv x/sub y/sub',
      'rm -r x && mv y x',
      'rm -r x && ln -s y x',
      'rm x/f && ln x/g x/f',
      'chmod 700 x/sub',
      'mkdir -p x/new && echo 1 > x/new/f',
      'rm z && mkdir z && echo 1 > z/f',
    ];
    for (const change of changes) await work.build([`--build-arg=CHANGE=${change}`]);
    const again = await work.build([`--build-arg=CHANGE=sleep 0.1`]);
    expect(again.cached).toContain('COPY --from=a /d /d');
  });
});
