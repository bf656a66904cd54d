import { randomFillSync } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { FakeRegistry } from './fake-registry.js';
import { digestOf } from './fake-registry-content.js';
import { Seeded } from './seeded.js';
import { MARK, mountsBelow, processesLeft, processesOf } from './processes.js';
import { TestRegistry } from './registry.js';
import { RegistryBench } from './registry-workspace.js';
import type { RunningSlipway } from './slipway.js';
import { makeTar } from './tar.js';
import type { Workspace } from './workspace.js';

export type Deed = 'build' | 'pull' | 'push' | 'prune';

export interface LaneOptions {
  readonly seed: number;
  /** As `--isolation` has it. */
  readonly isolation: string;
  /** How many of each are killed. */
  readonly kills: Readonly<Record<Deed, number>>;
}

export interface LaneFigures {
  /** Kills of builds that met a worker. */
  busy: number;
  /** Kills that came before the command had ended. */
  early: number;
  total: number;
}

/** Everything a worker does: unpacks a base, runs, copies between stages, packs, exports. The RUNs name `word`. */
function dockerfile(word: string): string {
  return `FROM busybox AS first
COPY . /context
ARG SALT
RUN echo ${word} && mkdir /many && for i in $(seq 100); do echo $i > /many/$i; done
RUN --mount=type=cache,target=/cache echo ${word} && touch /cache/x && dd if=/dev/zero of=/big bs=1M count=2 2>&1 && rm -rf /context/d1
FROM busybox AS second
ADD some.tar /some
ARG SALT
RUN echo ${word} && cp -r /bin /copy && ln /bin/busybox /hard
FROM busybox
COPY --from=first /many /many
COPY --from=first /big /context /
COPY --from=second --chmod=755 /copy /copy
ARG SALT
RUN echo ${word} && rm /big && chmod -R go-w /many
COPY . /again
`;
}

/** So that an image is the same whenever it is built. */
const SAME_TIME = ['--build-arg', 'SOURCE_DATE_EPOCH=1445412480'];

/**
 * Commands on one store that are killed with SIGKILL at seeded moments, each followed by a look at the store
 * (`slipway fsck`), at what is left running and mounted, and by a build that must give the undisturbed one's image.
 */
export class CrashLane {
  readonly figures: LaneFigures = { busy: 0, early: 0, total: 0 };
  readonly #work: Workspace;
  readonly #bench: RegistryBench;
  readonly #options: LaneOptions;
  readonly #word: string;
  readonly #random: Seeded;
  readonly #source: FakeRegistry;
  readonly #target: TestRegistry;
  #images = 0;
  #repositories = 0;
  #wanted = '';
  #lines = 0;

  private constructor(
    work: Workspace,
    options: LaneOptions,
    places: { readonly bench: RegistryBench; readonly source: FakeRegistry; readonly target: TestRegistry },
  ) {
    this.#work = work;
    this.#options = options;
    this.#bench = places.bench;
    this.#source = places.source;
    this.#target = places.target;
    this.#word = `word-${path.basename(work.dir)}`;
    this.#random = new Seeded(options.seed);
  }

  /** Runs all of it. `name` says in failures which lane it was. */
  static async run(work: Workspace, options: LaneOptions): Promise<LaneFigures> {
    await using bench = new RegistryBench(work);
    const source = await FakeRegistry.start();
    try {
      const target = await bench.start();
      const lane = new CrashLane(work, options, { bench, source, target });
      await lane.#prepare();
      for (const [i, deed] of lane.#order().entries()) await lane.#once(i, deed);
      await lane.#end();
      return lane.figures;
    } finally {
      await source.close();
    }
  }

  async #prepare(): Promise<void> {
    const files = Array.from({ length: 80 }, (_, i) => [`d${i % 7}/f${i}`, `${i}`.repeat(i)] as const);
    this.#work.write(Object.fromEntries(files));
    const some = [{ path: 'a/b', content: 'b' }, { path: 'c', type: 'symlink', linkname: 'a' } as const];
    this.#work.write({ 'some.tar': makeTar(some) });
    this.#work.dockerfile(dockerfile(this.#word));
    const undisturbed = await this.#work.build(this.#buildFlags(), {}, this.#work.path('undisturbed'));
    this.#wanted = undisturbed.stdout.trim();
    this.#lines = linesOf(undisturbed.stderr);
    const before = await this.#work.build(this.#buildFlags());
    expect(before.stdout.trim()).toBe(this.#wanted);
  }

  #buildFlags(): readonly string[] {
    return [...SAME_TIME, '--isolation', this.#options.isolation, '-o', 'type=image,rewrite-timestamp=true'];
  }

  /** The deeds, mixed. */
  #order(): readonly Deed[] {
    const deeds = Object.entries(this.#options.kills).flatMap(([deed, n]) => Array<Deed>(n).fill(deed as Deed));
    return deeds
      .map((deed) => ({ deed, at: this.#random.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ deed }) => deed);
  }

  async #once(i: number, deed: Deed): Promise<void> {
    const mark = `${this.#word}-${i}`;
    const about = `after kill ${i}, of a ${deed} (seed ${this.#options.seed})`;
    const running = await this.#start(deed, { ...this.#bench.env, [MARK]: mark });
    await this.#wait(deed, running);
    this.figures.total++;
    if (running.child.exitCode === null) this.figures.early++;
    if (deed === 'build' && processesOf(mark, this.#word).length > 1) this.figures.busy++;
    running.kill('SIGKILL');
    const { code, output } = await running.ended;
    if (code !== null) expect(code, `${about}: it ended by itself\n${output}`).toBe(0);
    expect(await processesLeft(mark, this.#word), about).toEqual([]);
    expect(mountsBelow(this.#work.dir), about).toEqual([]);
    const found = await this.#work.run(['fsck']);
    expect(found.code, `${about}: fsck\n${found.output}`).toBe(0);
    const next = await this.#work.build(this.#buildFlags());
    expect(next.stdout.trim(), about).toBe(this.#wanted);
  }

  async #start(deed: Deed, env: Readonly<Record<string, string>>): Promise<RunningSlipway> {
    switch (deed) {
      case 'build': {
        // Some begin anew, some go on where an earlier one was killed.
        const again = this.#random.chance(0.5) ? ['--no-cache'] : ['--build-arg', `SALT=${this.#random.below(8)}`];
        return this.#work.startBuild([...this.#buildFlags(), ...again], { env });
      }
      case 'pull':
        return this.#work.start(['pull', `${this.#source.host}/${this.#image()}`], { env });
      case 'push': {
        const name = `${this.#target.host}/r${this.#repositories++}:latest`;
        await this.#work.run(['tag', 'test', name]);
        return this.#work.start(['push', name], { env });
      }
      case 'prune':
        return this.#work.start(['prune', '--force', ...(this.#random.chance(0.5) ? ['--all'] : [])], { env });
    }
  }

  /** A new image of a few layers at the source, which nobody has. */
  #image(): string {
    const name = `image-${this.#images++}`;
    const repository = this.#source.repository(name);
    const layers = [1, 2, 3].map((n) => {
      const content = randomFillSync(Buffer.alloc(this.#random.below(2_000_000)));
      return makeTar([{ path: `file-${n}`, content: content.toString('latin1') }]);
    });
    const diffIds = layers.map(digestOf);
    const config = Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }),
    );
    const blob = (mediaType: string, bytes: Buffer): object => {
      return { mediaType, size: bytes.length, digest: repository.addBlob(bytes) };
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: blob('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((one) => blob('application/vnd.oci.image.layer.v1.tar', one)),
    };
    repository.addManifest(manifest.mediaType, Buffer.from(JSON.stringify(manifest)), 'latest');
    return `${name}:latest`;
  }

  /** Builds: by what has been done, not by the clock, so that fast and slow machines are tested alike. */
  async #wait(deed: Deed, running: RunningSlipway): Promise<void> {
    if (deed === 'build') {
      const after = this.#random.below(this.#lines);
      while (running.child.exitCode === null && linesOf(running.output) < after) await sleep(2);
      await sleep(this.#random.next() * 60);
      return;
    }
    await sleep(60 + this.#random.next() * 400);
  }

  /** What leaked is swept, and what nothing needs is reclaimed. */
  async #end(): Promise<void> {
    const { root } = this.#work;
    const named = await this.#namedImages();
    const pruned = await this.#work.run(['prune', '--force', '--all']);
    expect(pruned.code, pruned.output).toBe(0);
    expect((await this.#work.run(['fsck'])).code).toBe(0);
    for (const dir of ['tmp', 'work', 'leases', 'refs', 'trees', 'mounts']) {
      const at = path.join(root, dir);
      expect(existsSync(at) ? readdirSync(at) : [], dir).toEqual([]);
    }
    const facts = readdirSync(path.join(root, 'records/facts'));
    expect(facts.filter((name) => !/^(isolation|build|epoch|origin|unpacked|gzip|stack)-/.test(name))).toEqual([]);
    expect(await this.#namedImages()).toEqual(named);
  }

  /** Those that have lost their name to a later build are for a prune to take. */
  async #namedImages(): Promise<readonly unknown[]> {
    const { stdout } = await this.#work.run(['images', '--format', 'json']);
    return (JSON.parse(stdout) as readonly { readonly repository?: string }[]).filter(
      ({ repository }) => repository !== undefined,
    );
  }
}

function linesOf(text: string): number {
  return text.split('\n').length;
}
