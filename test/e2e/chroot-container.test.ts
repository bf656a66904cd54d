import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { parseDigest } from '../../src/oci/digest.js';
import { busyboxLayout } from '../support/busybox.js';
import { Dockerd } from '../support/dockerd.js';
import { flatten, readManifest } from '../support/image.js';
import { slipwayOk } from '../support/slipway.js';
import { makeTempDir, removeTempDir } from '../support/temp-dir.js';
import { test, type Workspace } from '../support/workspace.js';

const BASES = JSON.parse(process.env['SLIPWAY_TEST_BASES'] ?? '{}') as Readonly<Record<string, string>>;
const base = BASES['node:20-slim'];
const missing = base === undefined ? 'there is no base image with Node.js' : Dockerd.missing('installed');

/** What a RUN can be asked for where nothing can be mounted. */
const DOCKERFILE = `FROM busybox AS one
COPY script /script
RUN echo "$(id -u) $(pwd)" > /who; /script >> /who; readlink /proc/self/exe >> /who; mknod /null c 1 3; mknod /disk b 7 0; head -c 1 /disk || echo refused > /refused
RUN --mount=type=secret,id=token,mode=0440,gid=50 stat -c '%a %g' /run/secrets/token > /secret; wc -c < /run/secrets/token >> /secret
RUN --mount=type=cache,target=/cache echo x >> /cache/f; wc -l < /cache/f > /cached
RUN --mount=type=bind,from=busybox,source=/etc,target=/bound,rw ls /bound > /bind; rm /bound/passwd; mv /etc/group /etc/group2
USER app
RUN --mount=type=tmpfs,target=/scratch id -un > /tmp/user; touch /scratch/f; echo hi > /dev/null; head -c 4 /dev/urandom | wc -c >> /tmp/user
FROM one AS two
RUN ls -A /tmp > /tmp/listed; sleep 4723 &
FROM busybox
COPY --from=two / /
RUN ln /script /hard && chown 5:6 /hard && chmod 4755 /hard; rm -r /home; ls -d /dev/null /dev/shm /proc /sys > /there
`;

describe.skipIf(missing)(
  `RUN in a container as Docker makes it${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let dir: string;
    let dockerd: Dockerd;

    beforeAll(async () => {
      dir = makeTempDir('c');
      dockerd = await Dockerd.start(path.join(dir, 'engine'));
      mkdirSync(path.join(dir, 'context'));
      writeFileSync(path.join(dir, 'context/Dockerfile'), 'FROM node\n');
      const archive = path.join(dir, 'node.tar');
      const from = `--build-context=node=oci-layout://${base}`;
      const to = `--output=type=docker,dest=${archive}`;
      await slipwayOk(['build', '--root', path.join(dir, 'store'), '-t', 'node', from, to, path.join(dir, 'context')]);
      await dockerd.docker('load', '-i', archive);
    }, 300_000);
    afterAll(async () => {
      await dockerd?.stop();
      if (dir) removeTempDir(dir);
    }, 300_000);

    /** `slipway build` in a container with no flag that matters; its store is that of the workspace. */
    async function build(work: Workspace, ...args: readonly string[]): Promise<string> {
      return await buildIn('/store', work, ...args);
    }

    async function buildIn(store: string, work: Workspace, ...args: readonly string[]): Promise<string> {
      const mounts = [`${packageRoot()}:/slipway:ro`, `${work.context}:/src`, `${await busyboxLayout()}:/busybox:ro`];
      const given = [...mounts, `${work.root}:/store`].flatMap((one) => ['-v', one]);
      const start = ['run', '--rm', '--network=host', '-e=SOURCE_DATE_EPOCH=1000000000', ...given, 'node'];
      const words = ['build', `--root=${store}`, '--build-context=busybox=oci-layout:///busybox', ...args, '/src'];
      return await dockerd.docker(...start, 'node', '/slipway/bin/slipway', ...words);
    }

    test('gives what it gives on this machine with an OCI runtime', async ({ work }) => {
      work.write({ Dockerfile: DOCKERFILE, script: '#!/bin/sh\necho ran\n', token: 'hunter2' });
      chmodSync(path.join(work.context, 'script'), 0o755);
      const output = '--output=type=image,rewrite-timestamp=true';
      const secret = `--secret=id=token,src=${work.context}/token`;
      const env = { SOURCE_DATE_EPOCH: '1000000000' };
      const here = await work.build(['--isolation=root', output, secret], { env }, work.path('here'));
      expect(await build(work, output, '--secret=id=token,src=/src/token')).toBe(here.stdout);
      // without a volume: on the overlayfs that the container's own root is
      expect(await buildIn('/var/store', work, output, '--secret=id=token,src=/src/token')).toBe(here.stdout);
      expect([here.text('refused'), here.text('secret'), here.text('tmp/user')]).toEqual([
        'refused\n',
        '440 50\n7\n',
        'app\n4\n',
      ]);
    });

    test('the caches stay, and nothing else is left', async ({ work }) => {
      work.write({
        Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/c echo x >> /c/f; wc -l < /c/f > /n; sleep 4724 &\n',
      });
      for (const lines of ['1\n', '2\n']) {
        const digest = parseDigest((await build(work, '--no-cache')).trim());
        expect(flatten(readManifest(work.root, { digest }).layers).get('n')?.content.toString()).toBe(lines);
      }
      expect(readdirSync(path.join(work.root, 'work'))).toEqual([]);
    });

    test('what it cannot do is an error that says so', async ({ work }) => {
      work.dockerfile('FROM busybox\nRUN --network=none true\n');
      await expect(build(work)).rejects.toThrow('a network of its own (`--network=none`) is not possible');
      work.dockerfile('FROM busybox\nRUN --security=insecure true\n');
      await expect(build(work, '--allow=security.insecure')).rejects.toThrow(
        'is not possible with `--isolation=chroot`',
      );
    });
  },
);
