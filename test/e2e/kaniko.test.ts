import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { busyboxLayout } from '../support/busybox.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { sentBlobs } from '../support/registry-log.js';
import { test as withBench, type RegistryBench } from '../support/registry-workspace.js';
import { RemoteServer, TestRepository } from '../support/remote-server.js';
import { slipway, slipwayOk, type Ended, type SlipwayOptions } from '../support/slipway.js';
import { makeTar } from '../support/tar.js';
import type { Workspace } from '../support/workspace.js';

// kaniko's executor: the flags of a CI file, on Debian's registry.

type Executor = (args: readonly string[], options?: SlipwayOptions) => Promise<Ended>;

const test = withBench.extend<{ executor: Executor; executorOk: Executor }>({
  executor: async ({ work, bench }, use) => {
    // A Dockerfile where the command runs comes before that of the context.
    const cwd = work.dir;
    await use(
      async (args, options) =>
        await slipway(['kaniko', ...args], { cwd, ...options, env: envOf(work, bench, options) }),
    );
  },
  executorOk: async ({ executor }, use) => {
    await use(async (args, options) => {
      const ended = await executor(args, options);
      if (ended.code === 0) return ended;
      throw new Error(`executor ${args.join(' ')} ended with ${ended.code ?? ended.signal}:\n${ended.output}`);
    });
  },
});

function envOf(work: Workspace, bench: RegistryBench, options: SlipwayOptions = {}): Readonly<Record<string, string>> {
  return { ...bench.env, SLIPWAY_ROOT: work.root, ...options.env };
}

const HELLO = { Dockerfile: 'FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY hello /\n', hello: 'hello\n' };

describe('where the image goes', () => {
  test('two destinations in two registries, with files that name the digest', async ({ work, bench, executorOk }) => {
    const [one, other] = [await bench.start(), await bench.start()];
    work.write(HELLO);
    const files = ['digest', 'deep/er/names', 'tags'].map((name) => work.path(name)) as [string, string, string];
    const { stdout } = await executorOk([
      `--context=dir://${work.context}`,
      `--destination=${one.host}/team/app:1`,
      '-d',
      `${other.host}/app`,
      `--digest-file=${files[0]}`,
      `--image-name-with-digest-file=${files[1]}`,
      `--image-name-tag-with-digest-file=${files[2]}`,
    ]);
    const digest = stdout.trim();
    expect([one.tagged('team/app', '1')?.digest, other.tagged('app', 'latest')?.digest]).toEqual([digest, digest]);
    const contents = files.map((file) => readFileSync(file, 'utf8'));
    expect(contents).toEqual([
      digest,
      `${one.host}/team/app@${digest}\n${other.host}/app@${digest}\n`,
      `${one.host}/team/app:1@${digest}\n${other.host}/app:latest@${digest}\n`,
    ]);
  });

  test('an archive and a layout beside the push are the same image', async ({ work, bench, executorOk }) => {
    const registry = await bench.start();
    work.write(HELLO);
    const [tar, layout, digestFile] = [work.path('image.tar'), work.path('layout'), work.path('digest')];
    const name = `${registry.host}/app:1`;
    const form = ['--compression=zstd', '--compression-level', '7'];
    const to = [`--tar-path=${tar}`, '--oci-layout-path', layout, '--digest-file', digestFile];
    await executorOk(['-c', work.context, '-d', name, ...form, ...to]);
    const digest = readFileSync(digestFile, 'utf8');
    expect(registry.tagged('app', '1')).toMatchObject({
      digest,
      document: { layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }] },
    });
    expect(JSON.parse(await bench.skopeo('inspect', `oci:${layout}`))).toMatchObject({ Digest: digest });
    const inspected: unknown = JSON.parse(await bench.skopeo('inspect', `docker-archive:${tar}`));
    expect(inspected).toMatchObject({ Layers: [expect.stringMatching(/^sha256:/)] });
  });

  test('without a push nothing is sent, and the digest is that of the archive', async ({ work, bench, executorOk }) => {
    const registry = await bench.start();
    work.write(HELLO);
    const args = [
      '-c',
      work.context,
      '--no-push',
      '-d',
      `${registry.host}/app:1`,
      '--tar-path',
      work.path('image.tar'),
    ];
    const { stdout } = await executorOk(args);
    expect(await registry.takeRequests()).toEqual([]);
    const members = spawnSync('tar', ['-xOf', work.path('image.tar'), 'index.json'], { encoding: 'utf8' }).stdout;
    expect(members).toContain(stdout.trim());
    const images = await slipway(['images', '--format=json'], { env: { SLIPWAY_ROOT: work.root } });
    expect(JSON.parse(images.stdout)).toMatchObject([{ repository: `${registry.host}/app`, tag: '1' }]);
    const byVariable = await executorOk(['-c', work.context], { env: { KANIKO_NO_PUSH: 'true' } });
    expect(byVariable.stdout).toMatch(/^sha256:/);
  });

  test('a second push of the same sends nothing', async ({ work, bench, executorOk }) => {
    const registry = await bench.start();
    work.write(HELLO);
    const args = ['-c', work.context, '-d', `${registry.host}/app:1`, '--cache=true'];
    const first = await executorOk(args);
    await registry.takeRequests();
    expect((await executorOk(args)).stdout).toBe(first.stdout);
    expect(sentBlobs(await registry.takeRequests())).toEqual([]);
  });
});

test('a tag that a registry does not move is an error, or stays what it was and is noted', async ({
  work,
  bench,
  executor,
  executorOk,
}) => {
  const fake = await FakeRegistry.start();
  try {
    const other = await bench.start();
    work.write(HELLO);
    const message =
      "The image tag '1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.";
    const body = Buffer.from(JSON.stringify({ errors: [{ code: 'TAG_INVALID', message }] }));
    fake.misbehave({ method: 'PUT', path: /manifests\/1$/, instead: { status: 400, body } });
    const args = ['-c', work.context, '-d', `${fake.host}/app:1`, '-d', `${other.host}/app:1`];
    const refused = await executor(args);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(message)]);
    const kept = await executorOk([
      ...args,
      '--push-ignore-immutable-tag-errors',
      `--digest-file=${work.path('digest')}`,
    ]);
    expect(kept.stderr).toContain(`note: ${fake.host}/app:1 stays what it was`);
    expect(readFileSync(work.path('digest'), 'utf8')).toBe(other.tagged('app', '1')?.digest);
    const alone = await executorOk([...args.slice(0, 4), '--push-ignore-immutable-tag-errors']);
    expect(alone.stdout).toBe(kept.stdout);
    fake.misbehave({ method: 'PUT', path: /manifests\/2$/, instead: { status: 400 } });
    const broken = ['-c', work.context, '-d', `${fake.host}/app:2`, '--push-ignore-immutable-tag-errors'];
    expect((await executor(broken)).code).toBe(1);
  } finally {
    await fake.close();
  }
});

describe('registries', () => {
  test('TLS that nothing verifies, by every flag that allows it', async ({ work, bench, executor, executorOk }) => {
    const registry = await bench.start({ tls: bench.certificates });
    work.write(HELLO);
    const args = ['-c', work.context, '-d', `${registry.host}/app:1`];
    const refused = await executor(args);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('certificate')]);
    for (const flag of [
      '--insecure',
      '--skip-tls-verify',
      `--insecure-registry=${registry.host}`,
      `--skip-tls-verify-registry=${registry.host}`,
      `--registry-certificate=${registry.host}=${bench.certificates.ca.cert}`,
    ]) {
      expect((await executorOk([...args, flag])).stdout, flag).toMatch(/^sha256:/);
    }
    work.write({ Dockerfile: `FROM ${registry.host}/app:1\nCOPY hello /again\n` });
    const onIt = ['-c', work.context, '--no-push'];
    const elsewhere = (name: string): SlipwayOptions => ({ env: { SLIPWAY_ROOT: work.path(name) } });
    expect((await executor([...onIt, '--insecure'], elsewhere('a'))).code).toBe(1); // of the push alone
    for (const flag of ['--insecure-pull', '--skip-tls-verify-pull', '--skip-tls-verify']) {
      expect((await executorOk([...onIt, flag], elsewhere(flag))).stdout, flag).toMatch(/^sha256:/);
    }
  });

  test('a client certificate, and credentials in kaniko’s folder', async ({ work, bench, executor, executorOk }) => {
    const { certificates } = bench;
    const mutual = await bench.start({ tls: certificates, clientCertificates: true });
    work.write(HELLO);
    const { client, ca } = certificates;
    const trust = [`--registry-certificate=${mutual.host}=${ca.cert}`];
    const args = ['-c', work.context, '-d', `${mutual.host}/app:1`, ...trust];
    expect((await executor(args)).code).toBe(1);
    await executorOk([...args, `--registry-client-cert=${mutual.host}=${client.cert},${client.key}`]);

    const users = await bench.start({ users: { ci: 'pass word' } });
    const to = ['-c', work.context, '-d', `${users.host}/app:1`];
    const denied = await executor(to);
    expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining('401 Unauthorized')]);
    const auth = Buffer.from('ci:pass word').toString('base64');
    mkdirSync(work.path('kaniko/.docker'), { recursive: true });
    writeFileSync(work.path('kaniko/.docker/config.json'), JSON.stringify({ auths: { [users.host]: { auth } } }));
    await executorOk([...to, '--kaniko-dir', work.path('kaniko')]);
    await executorOk(to, { env: { DOCKER_CONFIG: '', KANIKO_DIR: work.path('kaniko') } });
  });

  test('mirrors of Docker Hub and of other registries; the registry itself is not asked when told so', async ({
    work,
    bench,
    executor,
    executorOk,
  }) => {
    const mirror = await bench.start();
    work.write(HELLO);
    await executorOk(['-c', work.context, '-d', `${mirror.host}/cache/library/base:1`]);
    await executorOk(['-c', work.context, '-d', `${mirror.host}/team/base:1`]);
    const from = (base: string): void => work.write({ Dockerfile: `FROM ${base}\nCOPY hello /again\n` });
    const build = ['-c', work.context, '--no-push'];
    const fresh = (name: string): SlipwayOptions => ({ env: { SLIPWAY_ROOT: work.path(name) } });
    from('base:1');
    await executorOk([...build, `--registry-mirror=${mirror.host}/cache`], fresh('a'));
    await executorOk(build, { env: { ...fresh('b').env, KANIKO_REGISTRY_MIRROR: `${mirror.host}/cache` } });
    await executorOk([...build, `--registry-map=index.docker.io=${mirror.host}/cache`], fresh('c'));
    from('registry.invalid/team/base:1');
    const map = `--registry-map=other.invalid=${mirror.host};registry.invalid=${mirror.host}`;
    await executorOk([...build, map, '--skip-default-registry-fallback'], fresh('d'));
    from('registry.invalid/team/missing:1');
    const missing = await executor([...build, map, '--skip-default-registry-fallback'], fresh('e'));
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('missing:1: not found')]);
    const asked = await executor([...build, map], fresh('f'));
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('resolving `registry.invalid')]);
  });
});

describe('what is built', () => {
  test('target, build arguments, labels, annotations', async ({ work, bench, executorOk }) => {
    const registry = await bench.start();
    work.write({
      'sub/other.Dockerfile':
        'FROM scratch AS one\nARG A\nARG B\nARG C\nLABEL args="$A $B $C"\nCOPY hello /\nFROM scratch\n',
      'sub/hello': 'hello\n',
    });
    const args = ['--build-arg', 'A=1 2', '--build-arg=B', '--build-arg=C', '--target=one', '--label', 'x=y=z'];
    const place = ['-c', work.context, '--context-sub-path', 'sub', '-f', 'other.Dockerfile'];
    const to = ['-d', `${registry.host}/app:1`, '--annotation=org.example.a=b'];
    await executorOk([...place, ...args, ...to], { env: { B: 'from outside' } });
    const { document } = registry.tagged('app', '1')!;
    expect(document.annotations).toEqual({ 'org.example.a': 'b' });
    const config = JSON.parse(registry.blob(document.config.digest).toString()) as {
      readonly config: { readonly Labels: Readonly<Record<string, string>> };
    };
    expect(config.config.Labels).toEqual({ args: '1 2 from outside ', x: 'y=z' });
  });

  test('a Dockerfile where the command runs comes before that of the context', async ({
    work,
    executor,
    executorOk,
  }) => {
    work.write(HELLO);
    work.write({ 'here/Dockerfile': 'FROM scratch\nCOPY missing /\n' }, work.dir);
    const cwd = work.path('here');
    const args = ['-c', work.context, '--no-push'];
    expect((await executor(args, { cwd })).stderr).toContain('"/missing": not found');
    await executorOk([...args, '-f', path.join(work.context, 'Dockerfile')], { cwd });
    await executorOk(args);
  });

  test('reproducible: the same image at another time', async ({ work, executorOk }) => {
    work.write(HELLO);
    const build = async (name: string): Promise<string> =>
      (
        await executorOk(['-c', work.context, '--no-push', '--reproducible'], {
          env: { SLIPWAY_ROOT: work.path(name) },
        })
      ).stdout;
    const first = await build('a');
    spawnSync('touch', ['-d', '2001-01-01', path.join(work.context, 'hello')]);
    expect(await build('b')).toBe(first);
    work.write({ hello: 'other\n' });
    expect(await build('c')).not.toBe(first);
  });

  test('archives: a file, stdin in both spellings', async ({ work, executorOk, executor }) => {
    const archive = gzipSync(
      makeTar([
        { path: 'Dockerfile', content: 'FROM scratch\nCOPY hello /\n' },
        { path: 'hello', content: 'hello\n' },
      ]),
    );
    writeFileSync(work.path('context.tar.gz'), archive);
    const build = async (context: string, options?: SlipwayOptions): Promise<string> =>
      (await executorOk(['--context', context, '--no-push', '--reproducible'], options)).stdout;
    const fromFile = await build(`tar://${work.path('context.tar.gz')}`);
    expect(await build('tar://stdin', { input: archive })).toBe(fromFile);
    expect(await build('-', { input: archive })).toBe(fromFile);
    const missing = await executor(['-c', `tar://${work.path('nothing')}`, '--no-push']);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('cannot read the archive')]);
  });

  test('git: a branch, a commit, a directory', async ({ work, executorOk }) => {
    using remote = await RemoteServer.start(work.dir);
    const repository = new TestRepository(work.path('r.git'));
    const first = repository.commit({ 'd/Dockerfile': 'FROM scratch\nCOPY . /\n', 'd/f': 'one' });
    repository.commit({ 'd/f': 'two' });
    repository.git('push', '--quiet', 'origin', `${first}:refs/heads/old`);
    const git = `git://${remote.url.replace('http://', '')}/r.git`;
    const build = async (context: string, ...more: readonly string[]): Promise<string> => {
      const tar = work.path('files.tar');
      const sub = context.startsWith('git:') ? ['--context-sub-path=d'] : [];
      const args = ['-c', context, ...sub, '--no-push', '--tar-path', tar, ...more];
      await executorOk(args, { env: { GIT_PULL_METHOD: 'http' } });
      return await fileIn(tar, 'f');
    };
    expect(await build(git)).toBe('two');
    expect(await build(`${git}#refs/heads/old`)).toBe('one');
    expect(await build(`${git}#refs/heads/main#${first}`)).toBe('one');
    expect(await build(git.replace(/\.git$/, ''), '--git=branch=old')).toBe('one');
  });

  test('git: a token, or a name and a password, from the environment', async ({ work, executor, executorOk }) => {
    using remote = await RemoteServer.start(work.dir);
    const repository = new TestRepository(work.path('r.git'));
    repository.commit({ Dockerfile: 'FROM scratch\nCOPY f /\n', f: 'one' });
    const args = ['-c', `git://${remote.url.replace('http://', '')}/r.git`, '--no-push'];
    const basic = (text: string): string => `basic ${Buffer.from(text).toString('base64')}`;
    remote.authorization = basic('x-access-token:t0ken');
    const http = { GIT_PULL_METHOD: 'http' };
    expect((await executor(args, { env: http })).code).toBe(1);
    await executorOk(args, { env: { ...http, GIT_TOKEN: 't0ken' } });
    remote.authorization = basic('me:pass word');
    await executorOk([...args, '--cache=false'], { env: { ...http, GIT_USERNAME: 'me', GIT_PASSWORD: 'pass word' } });
  });

  test('a RUN that fails gives its own code', async ({ work, executor }) => {
    const env = { SLIPWAY_ROOT: work.root };
    await slipwayOk(['copy', `oci:${await busyboxLayout()}`, 'store:busybox'], { env });
    work.write({ Dockerfile: 'FROM busybox\nRUN exit 7\n' });
    const failed = await executor(['-c', work.context, '--no-push']);
    expect([failed.code, failed.stderr]).toEqual([7, expect.stringContaining('exit code: 7')]);
  });
});

describe('what is said', () => {
  test('what has no effect is noted, with the reason; only errors where only errors are wanted', async ({
    work,
    executorOk,
  }) => {
    work.write(HELLO);
    const args = ['-c', work.context, '--no-push', '--cache=true', '--cache-repo=registry.invalid/cache', '--force'];
    const { stderr } = await executorOk(args);
    expect(stderr).toMatch(/^note: --cache-repo has no effect: this version reads no cache from a registry/m);
    expect(stderr).toMatch(/^note: --force has no effect: no container is needed$/m);
    expect((await executorOk([...args, '-v=error'])).stderr).toBe('');
    const json = await executorOk([...args, '--log-format=json']);
    for (const line of json.stderr.trimEnd().split('\n')) expect(() => JSON.parse(line) as unknown, line).not.toThrow();
  });

  test('what cannot be is refused, with what to do instead', async ({ work, executor }) => {
    work.write(HELLO);
    const here = ['-c', work.context, '--no-push'];
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['-c', work.context], /you must provide --destination, or use --no-push/],
      [['-c', 's3://bucket/c.tar.gz', '--no-push'], /buckets are not read\n.*--context=tar:\/\/FILE/],
      [['-c', 'gs://bucket/c.tar.gz', '--no-push'], /buckets are not read/],
      [['-c', 'https://a.blob.core.windows.net/c/d.tar.gz', '--no-push'], /buckets are not read/],
      [['-c', 'ftp://host/c.tar.gz', '--no-push'], /a scheme that is not known/],
      [['--bucket=x', ...here], /`--bucket` is not supported\n.*tar:\/\/FILE/],
      [[...here, '--destinatoin=x'], /unknown flag `--destinatoin`\n.*did you mean `--destination`/],
      [[...here, 'word'], /`word` is no flag/],
      [[...here, '--cleanup=perhaps'], /must be `true` or `false`/],
      [[...here, '--digest-file'], /needs a value/],
      [[...here, '--digest-file=https://host/x'], /only files are written/],
      [[...here, '--compression=lzma'], /must be `gzip` or `zstd`/],
      [[...here, '--registry-map=x'], /write it as `--registry-map=REGISTRY=MIRROR`/],
      [[...here, '--git=insecure-skip-tls=true', '-c', 'git://host/r'], /clone in a step before/],
      [[...here, '-f', 'nowhere'], /failed to read dockerfile/],
    ];
    for (const [args, said] of cases) {
      const ended = await executor(args);
      expect(ended.stderr, args.join(' ')).toMatch(said);
      expect(ended.code, args.join(' ')).toBe(1);
    }
    expect(existsSync(work.path('digest'))).toBe(false);
  });

  test('a program called `executor`, and a line that begins with a flag of kaniko’s, mean kaniko', async ({
    work,
    bench,
  }) => {
    work.write(HELLO);
    const executor = work.path('executor');
    symlinkSync(path.join(packageRoot(), 'bin/slipway'), executor);
    const env = { ...process.env, ...envOf(work, bench) };
    const run = (program: string, ...args: readonly string[]): string =>
      spawnSync(program, args, { env, encoding: 'utf8', cwd: work.context }).stdout;
    const digest = run(executor, '--context', '.', '--no-push');
    expect(digest).toMatch(/^sha256:/);
    const bin = path.join(packageRoot(), 'bin/slipway');
    expect(run(bin, '--context=.', '--no-push')).toBe(digest);
    expect(run(executor, 'version')).toMatch(/^Slipway version : \d/);
    expect(run(executor, '--help')).toContain('--destination');
    expect(run(bin, '--help')).toContain('build an image from a Dockerfile');
  });
});

/** Content of a file in the only layer of an archive. */
async function fileIn(archive: string, name: string): Promise<string> {
  const extract = (...args: readonly string[]): Buffer => spawnSync('tar', args, { maxBuffer: 1 << 26 }).stdout;
  const manifest = JSON.parse(extract('-xOf', archive, 'manifest.json').toString()) as readonly {
    readonly Layers: readonly string[];
  }[];
  const layer = `${archive}.layer`;
  writeFileSync(layer, extract('-xOf', archive, manifest[0]!.Layers[0]!));
  return extract('-xOf', layer, name).toString();
}
