import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { EXAMPLE, trustFlags } from '../../scripts/example.mjs';
import { packageRoot } from '../../src/base/package-root.js';
import { busyboxLayout } from '../support/busybox.js';
import { PROGRAMS } from '../support/daemon.js';
import { Dockerd } from '../support/dockerd.js';
import { pageFaults } from '../support/docs.js';
import { ownImage } from '../support/own-image.js';
import { test } from '../support/registry-workspace.js';
import { slipwayOk } from '../support/slipway.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import type { Workspace } from '../support/workspace.js';
import { firstStatus, freePort } from '../support/answering.js';

// Slipway's own image, run by Debian's Docker engine as it runs any image: no privileges, the usual seccomp profile.

const BUILD_MS = 1_200_000;
const PATIENCE = { timeout: 300_000 };
const missing = Dockerd.missing('installed');

/** What a pod of Kubernetes' profile `restricted` sets, or `docker run` in its place. */
const RESTRICTED = ['--user=1000', '--cap-drop=ALL', '--security-opt=no-new-privileges'];

/** What a container needs to make namespaces of its own. */
const NAMESPACES = ['seccomp=unconfined', 'apparmor=unconfined', 'systempaths=unconfined'].map(
  (option) => `--security-opt=${option}`,
);

/** By what a container may do: the rung that a RUN in it gets. */
const SETTINGS = [
  { who: 'root of the container', rung: 'chroot', flags: [] },
  { who: 'root of the container', rung: 'userns', flags: NAMESPACES },
  { who: 'user 1000', rung: 'userns', flags: [...NAMESPACES, '--user=1000'] },
  { who: 'root with SYS_ADMIN', rung: 'root', flags: [...NAMESPACES, '--cap-add=SYS_ADMIN', '-v', '/var/lib/slipway'] },
] as const;

const WITH_RUN = {
  Dockerfile: [
    'FROM busybox AS made',
    'RUN mkdir -m 700 /made && echo one >/made/file && chown 1234:5678 /made/file && ln /made/file /made/hard',
    'FROM busybox',
    'COPY --from=made /made /copied',
    'RUN rm /etc/group && ln -s file /copied/link && chmod 4755 /copied/file',
    'USER 1234:5678',
    'WORKDIR /tmp/work',
    'RUN id -u >id && id -g >>id',
    '',
  ].join('\n'),
};

/** A Dockerfile with all that needs no RUN. */
const WITHOUT_RUN = {
  Dockerfile: [
    'FROM scratch AS files',
    'COPY tree /tree',
    'FROM busybox',
    'WORKDIR /srv/app',
    'COPY --chown=1234:5678 --chmod=640 tree/hello ./',
    'COPY --from=files /tree /copied',
    'ENV GREETING=hello',
    'USER 1234',
    'CMD ["cat", "hello"]',
    '',
  ].join('\n'),
  'tree/hello': 'hello from inside\n',
  'tree/deep/er': 'x',
};

describe.skipIf(missing)(`Slipway in a container${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let dir: string;
  let dockerd: Dockerd;

  beforeAll(async () => {
    dir = makeTempDir('o');
    const archive = await ownImage(dir);
    dockerd = await Dockerd.start(path.join(dir, 'engine'));
    await dockerd.docker('load', '-i', archive);
  }, BUILD_MS);
  afterAll(async () => {
    await dockerd?.stop();
    if (dir) removeTempDir(dir);
  }, BUILD_MS);

  /** `slipway WORDS` in a container, which sees the context at /src and the layout of busybox at /busybox. */
  async function inContainer(
    work: Workspace,
    flags: readonly string[],
    words: readonly string[],
    entrypoint: readonly string[] = [],
  ): Promise<string> {
    const mounts = [`${work.context}:/src`, `${await busyboxLayout()}:/busybox:ro`].flatMap((one) => ['-v', one]);
    const start = ['run', '--rm', '--network=host', '-e=SOURCE_DATE_EPOCH=1000000000', ...mounts, ...flags];
    return await dockerd.docker(...start, ...entrypoint, 'slipway', ...words);
  }

  const builds = ['build', '--build-context=busybox=oci-layout:///busybox', '/src'];

  test('without RUN it builds what a build on this machine gives, whoever the container runs as', async ({ work }) => {
    work.write(WITHOUT_RUN);
    const env = { SOURCE_DATE_EPOCH: '1000000000' };
    const same = '--output=type=image,rewrite-timestamp=true';
    const busybox = `--build-context=busybox=oci-layout://${await busyboxLayout()}`;
    const { stdout } = await slipwayOk(['build', '--root', work.root, busybox, same, work.context], { env });
    const elsewhere = ['--user=123456789:5', '--read-only', '--tmpfs=/var/lib/slipway:mode=1777'];
    for (const flags of [[], RESTRICTED, [...RESTRICTED, ...elsewhere]]) {
      expect(await inContainer(work, flags, [...builds, same]), flags.join(' ')).toBe(stdout);
    }
  });

  test('what it writes is an image that the engine runs', async ({ work }) => {
    work.write(WITHOUT_RUN);
    mkdirSync(work.path('out'), { mode: 0o777 });
    const mount = ['-v', `${work.path('out')}:/out`];
    await inContainer(work, mount, [...builds, '--tag=made', '--output=type=docker,dest=/out/made.tar']);
    await dockerd.docker('load', '-i', work.path('out/made.tar'));
    expect(await dockerd.docker('run', '--rm', '--user=1234:5678', 'made')).toBe('hello from inside\n');
  });

  for (const { who, rung, flags } of SETTINGS) {
    test(`${rung}, ${who}: a RUN in a container gives what it gives on this machine`, PATIENCE, async ({ work }) => {
      work.write(WITH_RUN);
      const env = { SOURCE_DATE_EPOCH: '1000000000' };
      const same = '--output=type=image,rewrite-timestamp=true';
      const busybox = `--build-context=busybox=oci-layout://${await busyboxLayout()}`;
      const { stdout } = await slipwayOk(['build', '--root', work.root, busybox, same, work.context], { env });
      const report = JSON.parse(await inContainer(work, flags, ['doctor', '--format=json'])) as {
        readonly chosen: { readonly rung: string };
      };
      expect(report.chosen.rung).toBe(rung);
      expect(await inContainer(work, flags, [...builds, same])).toBe(stdout);
    });
  }

  /** `npm test` makes them and says where they are. */
  const bases = Object.entries(JSON.parse(process.env['SLIPWAY_TEST_BASES'] ?? '{}') as Record<string, string>).filter(
    ([name]) => name.startsWith('node:'),
  );

  test.skipIf(bases.length === 0)(
    'examples/node, in a container as it comes: the image serves (needs SLIPWAY_TEST_BASES)',
    { timeout: BUILD_MS },
    async ({ work }) => {
      cpSync(EXAMPLE, work.context, { recursive: true, filter: (file) => !file.endsWith('node_modules') });
      mkdirSync(work.path('out'));
      const mounts = [
        `${work.path('out')}:/out`,
        ...bases.map(([name, layout]) => `${layout}:/bases/${slug(name)}:ro`),
      ];
      // Where the network is seen through a proxy with its own certificate authority, npm inside the build must know it.
      const trust = trustFlags();
      if (trust.length > 0) mounts.push('/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro');
      const contexts = bases.map(([name]) => `--build-context=${name}=oci-layout:///bases/${slug(name)}`);
      const output = ['--tag=example', '--output=type=docker,dest=/out/example.tar'];
      const flags = mounts.flatMap((mount) => ['-v', mount]);
      await inContainer(work, flags, ['build', ...trust, ...contexts, ...output, '/src']);
      await dockerd.docker('load', '-i', work.path('out/example.tar'));
      const port = await freePort();
      const serving = ['-d', '--network=host', '-e', `PORT=${port}`, '-e', 'HOST=127.0.0.1'];
      const id = (await dockerd.docker('run', ...serving, 'example')).trim();
      try {
        expect(await firstStatus(`http://127.0.0.1:${port}/healthz`)).toBe(200);
      } finally {
        await dockerd.docker('rm', '--force', id);
      }
    },
  );

  test('every command of docs/running-anywhere.md does what the page says', PATIENCE, async ({ work, bench }) => {
    const [open, users] = [await bench.start(), await bench.start({ users: { ci: 'pass word' } })];
    const busybox = `${open.host}/busybox`;
    await slipwayOk(['copy', `oci:${await busyboxLayout()}`, busybox], { env: { ...bench.env } });
    const page = work.path('page');
    mkdirSync(page);
    const replace = {
      'FROM busybox': `FROM ${busybox}`,
      'localhost:5001': `localhost:${users.port}`,
      'docker run --rm': 'docker run --rm --network=host',
    };
    const { SLIPWAY_CONFIG: _, ...plain } = bench.env;
    const env = {
      ...process.env,
      ...plain,
      ...dockerd.env,
      HOME: work.dir,
      SLIPWAY_ROOT: work.root,
      PATH: `${path.join(packageRoot(), 'bin')}:${PROGRAMS}`,
    };
    const file = path.join(packageRoot(), 'docs/running-anywhere.md');
    expect(await pageFaults(file, { replace, dir: page, env })).toEqual([]);
  });

  test('kaniko’s command lines: arguments alone, its path, and a shell that writes credentials', async ({
    work,
    bench,
  }) => {
    const registry = await bench.start({ users: { ci: 'pass word' } });
    work.write({ Dockerfile: 'FROM scratch\nCOPY hello /\n', hello: 'hello\n' });
    const auths = { [registry.host]: { auth: Buffer.from('ci:pass word').toString('base64') } };
    mkdirSync(work.path('credentials'));
    writeFileSync(work.path('credentials/config.json'), JSON.stringify({ auths }));
    const credentials = ['-v', `${work.path('credentials')}:/kaniko/.docker:ro`];
    const args = (tag: string): readonly string[] => [
      '--context=dir:///src',
      `--destination=${registry.host}/app:${tag}`,
    ];
    const pod = await inContainer(work, credentials, args('pod'));
    const path = await inContainer(work, credentials, args('path'), ['--entrypoint=/kaniko/executor']);
    expect(path).toBe(pod);
    const script = [
      'set -e; mkdir -p /kaniko/.docker',
      `printf '{"auths":{"%s":{"auth":"%s"}}}' ${registry.host} "$(printf '%s:%s' ci 'pass word' | base64 | tr -d '\\n')" >/kaniko/.docker/config.json`,
      `/kaniko/executor ${args('shell').join(' ')} --digest-file /src/digest`,
    ].join('\n');
    expect(await inContainer(work, [], ['sh', '-c', script], ['--entrypoint='])).toBe(pod);
    expect(readFileSync(`${work.context}/digest`, 'utf8')).toBe(pod.trim());
    const digests = ['pod', 'path', 'shell'].map((tag) => registry.tagged('app', tag)?.digest);
    expect(digests).toEqual(Array(3).fill(pod.trim()));
  });

  test('it has the programs that it calls, and git', async ({ work }) => {
    const programs = ['git', 'ssh', 'crun', 'setpriv', 'unshare', 'newuidmap', 'xz', 'bzip2', 'zstd', 'mount'];
    const script = `for one in ${programs.join(' ')}; do readlink -f "$(command -v $one)"; done; git --version; setpriv --version`;
    const said = await inContainer(work, [], ['-c', script], ['--entrypoint=sh']);
    expect(said.split('\n').slice(0, programs.length)).toEqual(programs.map((name) => `/usr/bin/${name}`));
    expect(said).toMatch(/^git version 2/m);
    expect(said).toContain('util-linux');
  });
});

/** The name of a base as a part of a path. */
function slug(name: string): string {
  return name.replace(':', '-');
}
