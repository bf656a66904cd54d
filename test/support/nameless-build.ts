import { test as base, type RegistryBench } from './registry-workspace.js';
import type { Ended, SlipwayOptions } from './slipway.js';
import type { Workspace } from './workspace.js';

/** Builds the context without giving the image a name, which a push would take. */
export class NamelessBuild {
  readonly #work: Workspace;
  readonly #bench: RegistryBench;

  constructor(work: Workspace, bench: RegistryBench) {
    this.#work = work;
    this.#bench = bench;
  }

  async run(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
    const busybox = this.#work.buildArgs().find((one) => one.startsWith('busybox='))!;
    const fixed = ['build', '--progress', 'plain', '--build-context', busybox];
    return await this.#bench.run([...fixed, ...args, this.#work.context], options);
  }

  async ok(args: readonly string[], options: SlipwayOptions = {}): Promise<Ended> {
    const ended = await this.run(args, options);
    if (ended.code !== 0) throw new Error(`the build ended with ${ended.code ?? ended.signal}:\n${ended.output}`);
    return ended;
  }
}

/** `test` with a workspace, a bench, and builds that give the image no name of their own. */
export const test = base.extend<{ builds: NamelessBuild }>({
  builds: async ({ work, bench }, use) => await use(new NamelessBuild(work, bench)),
});
