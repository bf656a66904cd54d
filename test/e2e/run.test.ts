import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { makeTar } from '../support/tar.js';
import { isRoot, test } from '../support/workspace.js';

describe('RUN', () => {
  test('shell form, JSON form, SHELL, WORKDIR, USER, ENV, heredoc', async ({ work }) => {
    work.dockerfile(`FROM busybox
ENV A="x y"
WORKDIR /w
RUN echo "$A" > shell && pwd > pwd
RUN ["/bin/sh", "-c", "echo json > json"]
RUN ["touch", "$A"]
SHELL ["/bin/sh", "-e", "-c"]
RUN false; echo unreachable > never || true
`);
    const failed = await work.tryBuild();
    expect(failed.code).toBe(1);
    work.dockerfile(`FROM busybox
ENV A="x y"
WORKDIR /w
RUN echo "$A" > shell && pwd > pwd
RUN ["/bin/sh", "-c", "echo json > json"]
RUN ["touch", "$A"]
RUN chown app /w
USER app
RUN id -un > me && echo $HOME >> me
RUN <<END
echo here > doc
echo and there >> doc
END
`);
    const built = await work.build();
    expect(built.text('w/shell')).toBe('x y\n');
    expect(built.text('w/pwd')).toBe('/w\n');
    expect(built.text('w/json')).toBe('json\n');
    expect(built.tree.has('w/$A')).toBe(true);
    expect(built.text('w/me')).toBe('app\n/home/app\n');
    expect(built.owner('w/me')).toBe('644 1000:1000');
    expect(built.text('w/doc')).toBe('here\nand there\n');
  });

  test("the machine's devices stay whose they are, whoever runs", async ({ work }) => {
    const before = statSync('/dev/null');
    work.dockerfile(
      'FROM busybox\nUSER 1234\nRUN test -c /dev/null && echo > /dev/null && stat -c %a /dev/null > /tmp/mode\n',
    );
    const built = await work.build();
    expect(built.text('tmp/mode')).toBe('666\n');
    const { uid, gid, mode } = statSync('/dev/null');
    expect({ uid, gid, mode }).toEqual({ uid: before.uid, gid: before.gid, mode: before.mode });
  });

  test('leaves no mount point, resolv.conf or hosts in a layer, though it sees them', async ({ work }) => {
    work.dockerfile(`FROM busybox
RUN cat /etc/resolv.conf > /seen; grep -c localhost /etc/hosts >> /seen; ls -d /proc/self /sys/class /dev/null /dev/shm
RUN touch /second
`);
    const built = await work.build();
    expect(built.image.layers[1]!.map(({ path }) => path)).toEqual(['seen']);
    expect(built.lastLayer).toEqual(['second']);
    expect(built.text('seen')).toMatch(/\n[1-9]\n$/);
    expect(built.stderr).toMatch(/\/proc\/self\n/);
  });

  test("the image's own resolv.conf and hosts stay as they are", async ({ work }) => {
    work.write({
      'own.tar': makeTar([
        { path: 'etc/hosts', content: 'mine\n' },
        { path: 'etc/resolv.conf', content: 'm\n' },
      ]),
    });
    work.dockerfile('FROM busybox\nADD own.tar /\nRUN grep -q localhost /etc/hosts && touch /done\n');
    const built = await work.build();
    expect(built.lastLayer).toEqual(['done']);
    expect(built.text('etc/hosts')).toBe('mine\n');
    expect(built.text('etc/resolv.conf')).toBe('m\n');
  });

  test('--trust-host-ca is seen inside and leaves no trace; the own bundle can be replaced by rename', async ({
    work,
  }) => {
    writeFileSync(work.path('ca.pem'), 'the certificates of this machine\n');
    const bundle = 'etc/ssl/certs/ca-certificates.crt';
    work.write({ 'own.tar': makeTar([{ path: bundle, content: 'own\n' }]) });
    work.dockerfile(`FROM busybox
ADD own.tar /
RUN echo "$SSL_CERT_FILE"; cat "\${SSL_CERT_FILE:-/dev/null}"; cat "\${APT_CONFIG:-/dev/null}"; env | grep -c slipw[a]y; true
RUN echo new > /tmp/new && mv /tmp/new /${bundle} && mv /${bundle} /${bundle}.old && mv /${bundle}.old /${bundle}
`);
    const env = { SSL_CERT_FILE: work.path('ca.pem'), SOURCE_DATE_EPOCH: '1700000000' };
    const trusting = await work.build(['--trust-host-ca'], { env });
    expect(trusting.stderr).toMatch(/ \/run\/slipway\/host-ca\.crt\n/);
    expect(trusting.stderr).toContain('the certificates of this machine');
    expect(trusting.stderr).toMatch(/Acquire::https::CaInfo/);
    expect(trusting.stderr).toMatch(/ 8\n/);
    expect(trusting.text(bundle)).toBe('new\n');
    const layers = trusting.image.layers.map((layer) => layer.map(({ path, mode }) => `${path} ${mode}`));
    expect(JSON.stringify([layers, trusting.config])).not.toMatch(/slipway|"run|CA_|CERT/);

    const again = await work.build([], { env });
    expect(again.ran).toEqual([]);
    const plain = await work.build(['--no-cache'], { env });
    expect(plain.stderr).toMatch(/ 0\n/);
    expect(plain.stderr).not.toContain('/run/slipway');
    expect(plain.image.layers.map((layer) => layer.map(({ path, mode }) => `${path} ${mode}`))).toEqual(layers);
    expect(plain.config).toEqual(trusting.config);
  });

  test('uses the network of this machine, or none', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN echo "devices: $(ls /sys/class/net | wc -l)"\n');
    const devices = readFileSync('/proc/net/dev', 'latin1').trim().split('\n').length - 2;
    expect((await work.build(['--network', 'host'])).stderr).toContain(`devices: ${devices}`);
    expect((await work.build(['--network', 'none'])).stderr).toContain('devices: 1');
  });

  test('directories too deep for the machine are an error, and a prune removes them', async ({ work }) => {
    const nest = 'n=$(printf %0200d 0); for i in $(seq 30); do mkdir $n; cd $n; done';
    work.dockerfile(`FROM busybox\nRUN mkdir /deep; cd /deep; ${nest}; true\n`);
    const { code, stderr } = await work.tryBuild([]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: a path is longer than the system allows/m);
    await work.run(['prune', '--all', '--force']);
    expect(['work', 'trees'].flatMap((name) => readdirSync(path.join(work.root, name)))).toEqual([]);
  });

  test('what it leaves running does not hold up the build', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN sleep 1234 & echo done > /done\n');
    const built = await work.build();
    expect(built.lastLayer).toEqual(['done']);
  });

  test('a base that was made here is a base as well', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN echo 1 > /one\n');
    const { diff_ids: diffIds } = (await work.build(['-t', 'first:1'])).image.config.rootfs;
    work.dockerfile('FROM first:1\nRUN echo 2 > /two\n');
    const second = await work.build();
    expect(second.diffIds.slice(0, -1)).toEqual(diffIds);
    expect(second.lastLayer).toEqual(['two']);
  });

  test.skipIf(!isRoot)('makes device nodes, as root', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN mknod /null c 1 3 && mknod /disk b 7 0\n');
    const built = await work.build();
    expect(built.entry('null')).toMatchObject({ type: 'char', devMajor: 1, devMinor: 3 });
    expect(built.entry('disk')).toMatchObject({ type: 'block', devMajor: 7, devMinor: 0 });
  });
});

describe('RUN --security=insecure', () => {
  const dockerfile = `FROM busybox
RUN mkdir /m; mount -t tmpfs none /m 2> /denied || echo denied > /usual
RUN --security=insecure mount -t tmpfs none /m && umount /m && grep CapEff /proc/self/status > /insecure
`;

  test('is refused until it is allowed', async ({ work }) => {
    work.dockerfile(dockerfile);
    const refused = await work.tryBuild();
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('security.insecure is not allowed') });
    expect(refused.stderr).toContain('--allow security.insecure');
  });

  test('may then do what the builder may, and the steps beside it may not', async ({ work }) => {
    work.dockerfile(dockerfile);
    const built = await work.build(['--allow', 'security.insecure']);
    expect(built.text('usual')).toBe('denied\n');
    const mask = BigInt(`0x${built.text('insecure').split(/\s+/)[1]}`);
    expect((mask >> 21n) & 1n).toBe(1n); // CAP_SYS_ADMIN
  });
});
