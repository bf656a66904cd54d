import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { hasCode } from '../../src/base/errors.js';
import { isRoot, test, type Workspace } from '../support/workspace.js';

/** Runs a command where `on` is an overlayfs, on which no other one can be mounted; nothing of the mount stays. */
function onOverlay(work: Workspace): { readonly on: string; readonly launcher: readonly string[] } {
  for (const name of ['l', 'u', 'w', 'on']) mkdirSync(work.path(name), { recursive: true });
  const mount = 'cd "$1"; mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w on; shift';
  const script = `set -e; ${mount}; exec "$@"`;
  const launcher = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', work.dir];
  return { on: work.path('on'), launcher };
}

const FUSE = { SLIPWAY_SNAPSHOTTER: 'fuse-overlayfs' };

const DOCKERFILE = `FROM busybox AS build
RUN mkdir -p /d/sub /e && echo 1 > /d/a && ln /d/a /d/b && echo 2 > /d/sub/f && chown 1:1 /d/sub && echo 3 > /e/f
RUN echo more >> /d/b
RUN rm -r /d/sub && mkdir /d/sub && ln -s x /d/sub/l && rm /e/f && echo 4 >> /etc/passwd && chmod 700 /e
FROM busybox
COPY --from=build /d /copied
RUN --mount=from=build,target=/from cp -a /from/d /d && chmod 4711 /bin/busybox && test ! -e /from/e/f
RUN cat /d/a /d/b && mv /copied /moved && mkfifo /pipe
`;

describe.skipIf(!isRoot)('where overlayfs cannot be mounted', () => {
  test.for([
    { trees: '`fuse-overlayfs`', asked: FUSE },
    { trees: 'plain copies', asked: {} },
  ])('the same image comes out of $trees', async ({ trees, asked }, { work }) => {
    work.dockerfile(DOCKERFILE);
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    const args = ['-o', 'type=image,rewrite-timestamp=true'];
    const usual = await work.tryBuild(args, { env });
    expect(usual.stderr).toMatch(/^isolation: root \(overlayfs on /m);
    const { on, launcher } = onOverlay(work);
    const options = { env: { ...env, ...asked }, launcher };
    const other = await work.tryBuild([...args, '--root', `${on}/store`], options);
    expect(other.code, other.output).toBe(0);
    expect(other.stderr).toContain(`isolation: root (${trees} on overlay as root`);
    expect(other.stdout).toBe(usual.stdout);
    const again = await work.tryBuild([...args, '--root', `${on}/store`], options);
    expect(again.stdout).toBe(usual.stdout);
  });

  test('a step ends in an error when fuse-overlayfs dies, whatever its process says', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN echo ready; sleep 2; echo more > /f; exit 0\n');
    const { on, launcher } = onOverlay(work);
    const build = work.startBuild(['--root', `${on}/store`], { launcher, env: FUSE });
    await build.saying(/\bready$/m);
    const programs = descendantsOf(build.pid).filter(({ name }) => name === 'fuse-overlayfs');
    expect(programs).toHaveLength(1);
    process.kill(programs[0]!.pid, 'SIGKILL');
    const { code, stderr } = await build.ended;
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/error.*`fuse-overlayfs` ended with SIGKILL/);
    expect(descendantsOf(build.pid)).toEqual([]);
    const again = await work.tryBuild(['--root', `${on}/store`], { launcher, env: FUSE });
    expect(again.code, again.output).toBe(0);
  });
});

interface Process {
  readonly pid: number;
  readonly name: string;
}

function descendantsOf(parent: number): readonly Process[] {
  const all = readdirSync('/proc').flatMap((pid) => {
    const stat = /^\d+$/.test(pid) ? readStat(pid) : undefined;
    const [, name = '', above = ''] = /\((.*)\) \S (\d+)/.exec(stat ?? '') ?? [];
    return stat === undefined ? [] : [{ pid: Number(pid), name, above: Number(above) }];
  });
  const below = (pid: number): readonly Process[] =>
    all.filter(({ above }) => above === pid).flatMap((one) => [{ pid: one.pid, name: one.name }, ...below(one.pid)]);
  return below(parent);
}

function readStat(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined; // gone meanwhile
    throw error;
  }
}
