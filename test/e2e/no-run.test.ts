import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { findProgram } from '../../src/executor/runtime.js';
import { mountsBelow } from '../support/processes.js';
import { RemoteServer, TestRepository } from '../support/remote-server.js';
import { busyboxLayout } from '../support/busybox.js';
import { startSlipway } from '../support/slipway.js';
import { makeTar } from '../support/tar.js';
import { Built, isRoot, test as base, type BuildRun, type Workspace } from '../support/workspace.js';

/** A user that has nothing: no capability, none to be had, no subordinate ids. */
const NOBODY = 54_321;
const EPOCH = '1445412480';

/** Builds as somebody who may do nothing, where nothing is installed that could help. */
class Bare {
  readonly #work: Workspace;
  readonly #busybox: string;

  constructor(work: Workspace, busybox: string) {
    this.#work = work;
    this.#busybox = work.path('busybox');
    cpSync(busybox, this.#busybox, { recursive: true });
    mkdirSync(work.path('programs'));
    symlinkSync(findProgram('git', process.env)!, work.path('programs/git'));
  }

  get root(): string {
    return this.#work.path('bare');
  }

  async build(args: readonly string[] = []): Promise<Built> {
    const ended = await this.tryBuild(args);
    if (ended.code !== 0) throw new Error(`the build ended with ${ended.code ?? ended.signal}:\n${ended.output}`);
    return new Built(ended, this.root);
  }

  async tryBuild(args: readonly string[] = []) {
    const layout = `busybox=oci-layout://${this.#busybox}`;
    return await this.#work.tryBuild(['--root', this.root, '--build-context', layout, ...args], this.options());
  }

  options(): BuildRun {
    const env = { PATH: this.#work.path('programs'), SOURCE_DATE_EPOCH: EPOCH, HOME: this.#work.dir };
    if (!isRoot) return { env };
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, this.#work.dir]);
    const setpriv = findProgram('setpriv', process.env)!;
    const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    return { env, launcher: [setpriv, ...ids, '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--'] };
  }
}

const test = base.extend<{ bare: Bare; remote: RemoteServer }>({
  bare: async ({ work }, use) => await use(new Bare(work, await busyboxLayout())),
  remote: async ({ work }, use) => {
    using server = await RemoteServer.start(work.dir);
    await use(server);
  },
});

/** Digests of the layers of a base as they were unpacked beside it. */
function plainTars(root: string): readonly string[] {
  const dir = path.join(root, 'blobs/sha256');
  return readdirSync(dir).filter((name) => readFileSync(path.join(dir, name)).toString('latin1', 257, 262) === 'ustar');
}

describe('a build without RUN, by a user who may do nothing', () => {
  const reproducible = (dest: string): string => `type=oci,tar=false,rewrite-timestamp=true,dest=${dest}`;
  const digestOf = (layout: string): unknown =>
    JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')).manifests;

  test.for<readonly [string, string, readonly string[]]>([
    ['files of a base whose layers are compressed', 'FROM scratch\nCOPY --from=busybox /bin/busybox /etc /x/\n', []],
    ['names of users', 'FROM busybox\nCOPY --chown=app:staff d /d\nUSER app\nWORKDIR /w/d\nCOPY --chmod=600 f .\n', []],
    ['archives', 'FROM busybox\nADD a.tar.gz a.tar /a/\nADD --unpack=false a.tar /b/\n', []],
    ['links', 'FROM busybox AS b\nCOPY --link d /bin/d\nFROM busybox\nCOPY --link --from=b /bin/d /d\n', []],
    [
      'stages',
      'FROM busybox AS one\nCOPY f /\nFROM one AS two\nWORKDIR /x\nFROM busybox\nCOPY --from=two / /all\n',
      [],
    ],
    ['one of the stages', 'FROM busybox AS one\nCOPY f /\nFROM one\nRUN exit 1\n', ['--target=one']],
    ['wildcards', 'FROM busybox\nCOPY --parents --exclude=*.md ./d/** /p/\nCOPY --from=busybox /etc/p* /q/\n', []],
    ['provenance', 'FROM busybox\nCOPY f /f\n', ['--provenance=false']],
  ])('gives the image that everybody gets: %s', async ([, dockerfile, args], { work, bare }) => {
    const member = { path: 'm/f', content: 'in an archive', uid: 3, gid: 4, mode: 0o640 };
    work.write({ f: 'f', 'd/a.txt': 'a', 'd/b.md': 'b', 'd/e/f.txt': 'c'.repeat(10_000), 'a.tar': makeTar([member]) });
    work.write({ 'a.tar.gz': gzipSync(makeTar([member, { path: 'g', content: 'g' }])) });
    work.dockerfile(dockerfile);
    const usual = ['-o', reproducible(work.path('usual'))];
    await work.build([...usual, ...args], { env: { SOURCE_DATE_EPOCH: EPOCH } });
    const built = await bare.build(['-o', reproducible(work.path('out')), ...args]);
    expect(built.hadWorker).toBe(false);
    expect(digestOf(work.path('out'))).toEqual(digestOf(work.path('usual')));
    expect(digestOf(work.path('out'))).toHaveLength(1);
  });

  test('files and repositories by URL', async ({ work, bare, remote }) => {
    remote.files.set('/f', { body: 'from the network' });
    const repository = new TestRepository(work.path('r.git'));
    repository.commit({ 'a.txt': 'one' });
    work.dockerfile(`FROM busybox\nADD ${remote.url}/f ${remote.url}/r.git /r/\n`);
    // The owner of a repository is asked for by those who serve it.
    const options = bare.options();
    if (isRoot) execFileSync('chown', ['-R', '0:0', work.path('r.git')]);
    const layout = `busybox=oci-layout://${work.path('busybox')}`;
    const built = await work.build(['--build-context', layout], options, bare.root);
    expect([built.text('r/f'), built.text('r/a.txt')]).toEqual(['from the network', 'one']);
  });

  test('outputs that are files', async ({ work, bare }) => {
    work.write({ f: 'f' });
    work.dockerfile('FROM busybox\nCOPY --chown=app f /home/app/\n');
    await work.build(['-o', `type=tar,dest=${work.path('usual.tar')}`], { env: { SOURCE_DATE_EPOCH: EPOCH } });
    const outputs = ['-o', `type=tar,dest=${work.path('out.tar')}`, '-o', `type=local,dest=${work.path('out')}`];
    await bare.build(outputs);
    expect(readFileSync(work.path('out.tar')).equals(readFileSync(work.path('usual.tar')))).toBe(true);
    expect(readFileSync(work.path('out/home/app/f'), 'utf8')).toBe('f');
    expect(readFileSync(work.path('out/bin/busybox')).length).toBe(statSync(findProgram('busybox', process.env)!).size);
    expect(mountsBelow(work.dir)).toEqual([]);
  });

  test('attestations', async ({ work, bare }) => {
    work.dockerfile('FROM scratch\nCOPY --from=busybox /etc/passwd /\n');
    await bare.build(['--provenance=mode=max', '-o', `type=oci,tar=false,dest=${work.path('out')}`]);
    const [index] = digestOf(work.path('out')) as { digest: string }[];
    const document = readFileSync(path.join(work.path('out'), 'blobs/sha256', index!.digest.slice(7)), 'utf8');
    expect(document).toContain('attestation-manifest');
  });

  test('a compressed layer is unpacked once, and again when that is damaged, or was pruned', async ({ work, bare }) => {
    work.dockerfile('FROM scratch\nCOPY --from=busybox /bin/busybox /b\n');
    const first = await bare.build(['--no-cache']);
    const [plain = '', ...more] = plainTars(bare.root).filter((name) => !first.diffIds.includes(`sha256:${name}`));
    expect(more).toEqual([]);
    const file = path.join(bare.root, 'blobs/sha256', plain);
    const made = statSync(file);
    expect((await bare.build(['--no-cache'])).diffIds).toEqual(first.diffIds);
    expect(statSync(file).ino).toBe(made.ino);
    truncateSync(file, 100_000);
    expect((await bare.build(['--no-cache'])).diffIds).toEqual(first.diffIds);
    expect(statSync(file).size).toBe(made.size);
    const pruned = await work.run(['prune', '--force', '--root', bare.root], bare.options());
    expect(pruned.code, pruned.output).toBe(0);
    expect(existsSync(file)).toBe(false);
    expect((await bare.build(['--no-cache'])).diffIds).toEqual(first.diffIds);
  });
});

describe('a RUN where none can be', () => {
  test('is refused with its line, and with what each rung lacks', async ({ work, bare }) => {
    work.dockerfile('FROM busybox\nENV A=b\nRUN echo hello\n');
    const failed = await bare.tryBuild();
    expect(failed.code).toBe(1);
    for (const said of ['root: ', 'userns: ', 'Dockerfile:3', '>>> RUN echo hello', 'slipway doctor']) {
      expect(failed.stderr).toContain(said);
    }
  });

  test('is refused before anything is done where it was asked for that', async ({ work }) => {
    work.write({ f: 'f' });
    work.dockerfile('FROM busybox\nCOPY f /f\nRUN true\n');
    const failed = await work.tryBuild(['--isolation=none']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('`--isolation=none` runs no process');
    expect(failed.stderr).toContain('>>> RUN true');
    expect(failed.stderr).not.toContain('COPY f /f\n#');
    expect(readdirSync(path.join(work.root, 'refs'))).toEqual([]);
  });
});

test.skipIf(!isRoot)(
  'a user whom the machine does not know, without a home, names a store (needs root)',
  async ({ work, bare }) => {
    work.write({ f: 'f' });
    work.dockerfile('FROM busybox\nCOPY --chown=app f /f\n');
    const { env, launcher = [] } = bare.options();
    const homeless = { env: { ...env, XDG_CONFIG_HOME: '' }, launcher: [...launcher, '/usr/bin/env', '-u', 'HOME'] };
    const failed = await startSlipway(['build', work.context], homeless).ended;
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('put the store where this user may write with `--root` or `SLIPWAY_ROOT`');
    const layout = `busybox=oci-layout://${work.path('busybox')}`;
    const built = await work.build(['--build-context', layout], homeless, bare.root);
    expect(built.owner('f')).toBe('644 1000:1000');
  },
);

test('`--isolation=none` starts no worker where there could be one, and does not count what only a worker can read', async ({
  work,
}) => {
  work.write({ f: 'f' });
  work.dockerfile('FROM busybox AS one\nCOPY f /f\nFROM one\nRUN cat /f\n');
  const usual = await work.build();
  expect(usual.hadWorker).toBe(true);
  const none = await work.build(['--isolation=none', '--target=one', '-o', `type=local,dest=${work.path('out')}`]);
  expect(none.hadWorker).toBe(false);
  expect(existsSync(work.path('out/bin/busybox'))).toBe(true);
  expect(readFileSync(work.path('out/f'), 'utf8')).toBe('f');
});
