import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test as base } from 'vitest';
import { parseDigest } from '../../src/oci/digest.js';
import { busyboxLayout } from './busybox.js';
import { flatten, readManifest, type ReadImage, type TreeEntry } from './image.js';
import { startSlipway, type Ended, type RunningSlipway, type SlipwayOptions } from './slipway.js';
import { makeTempDir, removeTempDir } from './temp-dir.js';

export interface BuildRun extends SlipwayOptions {
  /** What the command names as the context; default the directory. */
  readonly context?: string;
}

/** A directory of one test, with a context to build and a store of its own. */
export class Workspace {
  readonly dir: string;
  readonly context: string;
  readonly root: string;
  readonly #busybox: string;
  readonly #started: RunningSlipway[] = [];

  constructor(dir: string, busybox: string) {
    this.dir = dir;
    this.context = path.join(dir, 'context');
    this.root = path.join(dir, 'store');
    this.#busybox = busybox;
    mkdirSync(this.context);
  }

  path(name: string): string {
    return path.join(this.dir, name);
  }

  /** Writes files below the context; a name that ends in a slash is a directory. */
  write(files: Readonly<Record<string, string | Buffer>>, below = this.context): void {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(below, name);
      mkdirSync(name.endsWith('/') ? file : path.dirname(file), { recursive: true });
      if (!name.endsWith('/')) writeFileSync(file, content);
    }
  }

  dockerfile(text: string): void {
    this.write({ Dockerfile: text });
  }

  buildArgs(args: readonly string[] = [], context = this.context): readonly string[] {
    const fixed = [
      '--root',
      this.root,
      '--progress',
      'plain',
      '--build-context',
      `busybox=oci-layout://${this.#busybox}`,
    ];
    return ['build', ...fixed, '-t', 'test', ...args, context];
  }

  /** `slipway build -t test CONTEXT`, whatever comes of it. */
  async tryBuild(args: readonly string[] = [], options: BuildRun = {}): Promise<Ended> {
    return await this.startBuild(args, options).ended;
  }

  startBuild(args: readonly string[] = [], { context, ...options }: BuildRun = {}): RunningSlipway {
    return this.#track(startSlipway(this.buildArgs(args, context), options));
  }

  /** Another command than `build`. */
  start(args: readonly string[], options: SlipwayOptions = {}): RunningSlipway {
    const [command = '', ...rest] = args;
    return this.#track(startSlipway([command, '--root', this.root, ...rest], options));
  }

  /** The same for a build that must succeed, in this store or another. */
  async build(args: readonly string[] = [], options: BuildRun = {}, root = this.root): Promise<Built> {
    const ended = await this.tryBuild([...args, '--root', root], options);
    if (ended.code !== 0) throw new Error(`the build ended with ${ended.code ?? ended.signal}:\n${ended.output}`);
    return new Built(ended, root);
  }

  async run(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
    return await this.start(args, options).ended;
  }

  /** Ends what is still running, and removes everything. */
  async remove(): Promise<void> {
    for (const running of this.#started) {
      running.kill('SIGKILL');
      await running.ended;
    }
    removeTempDir(this.dir);
  }

  #track(running: RunningSlipway): RunningSlipway {
    this.#started.push(running);
    return running;
  }
}

/** A build that succeeded. */
export class Built {
  readonly stderr: string;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly #root: string;
  #image: ReadImage | undefined;
  #tree: ReadonlyMap<string, TreeEntry> | undefined;

  constructor({ stderr, stdout, stdoutBytes }: Ended, root: string) {
    this.stderr = stderr;
    this.stdout = stdout;
    this.stdoutBytes = stdoutBytes;
    this.#root = root;
  }

  /** Fails for a build that needed no image. */
  get image(): ReadImage {
    return (this.#image ??= readManifest(this.#root, { digest: parseDigest(this.stdout.trim()) }));
  }

  get config(): NonNullable<ReadImage['config']['config']> {
    return this.image.config.config ?? {};
  }

  get diffIds(): readonly string[] {
    return this.image.config.rootfs.diff_ids;
  }

  /** The file system of the image. */
  get tree(): ReadonlyMap<string, TreeEntry> {
    return (this.#tree ??= flatten(this.image.layers));
  }

  /** Content of a file as text; fails the test when it is not there. */
  text(file: string): string {
    return this.entry(file).content.toString('utf8');
  }

  entry(file: string): TreeEntry {
    const entry = this.tree.get(file);
    expect(entry, `\`${file}\` in the image`).toBeDefined();
    return entry!;
  }

  /** `mode uid:gid` in octal. */
  owner(file: string): string {
    const { mode, uid, gid } = this.entry(file);
    return `${mode.toString(8)} ${uid}:${gid}`;
  }

  /** Paths of the highest layer, in order. */
  get lastLayer(): readonly string[] {
    return (this.image.layers.at(-1) ?? []).map(({ path }) => path);
  }

  /** Instructions that ran, in the order they ended, without their stage; what belongs to no instruction left out. */
  get ran(): readonly string[] {
    return this.#steps((end) => end.startsWith('DONE'));
  }

  get cached(): readonly string[] {
    return this.#steps((end) => end === 'CACHED');
  }

  /** True if a worker process was started. */
  get hadWorker(): boolean {
    return /^isolation: /m.test(this.stderr);
  }

  #steps(matches: (end: string) => boolean): readonly string[] {
    const names = new Map<string, string>();
    const found: string[] = [];
    for (const [, number = '', text = ''] of this.stderr.matchAll(/^#(\d+) (.*)$/gm)) {
      if (!names.has(number)) names.set(number, text);
      else if (matches(text)) found.push(names.get(number)!);
    }
    return found.filter((name) => !name.startsWith('[internal]')).map((name) => name.replace(/^\[.*?\] /, ''));
  }
}

/** `test` with a workspace, removed afterwards. */
export const test = base.extend<{ work: Workspace }>({
  work: async ({ task }, use) => {
    const busybox = await busyboxLayout();
    const work = new Workspace(makeTempDir(task.id), busybox);
    try {
      await use(work);
    } finally {
      await work.remove();
    }
  },
});

/** True as root; what only root can do is skipped otherwise. */
export const isRoot = process.getuid?.() === 0;
