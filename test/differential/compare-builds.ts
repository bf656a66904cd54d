import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeBusyboxLayout } from '../support/busybox-layout.js';
import { BuildKit, type BuildKitPrograms } from './buildkit.js';
import { compareImages } from './compare-images.js';
import { withRequest, type BuildRequest } from './request.js';
import { buildWithSlipway } from './slipway-build.js';

export interface BothOptions {
  /** OCI layouts by the name that stands in FROM; `busybox` and `alpine` are there without. */
  readonly bases: ReadonlyMap<string, string>;
  /** Dockerfile in a directory without a `case.json`. */
  readonly file?: string | undefined;
}

/** BuildKit and Slipway side by side, with a folder of their own that `stop` removes. */
export class Both {
  readonly #dir: string;
  readonly #buildkit: BuildKit;
  readonly #options: BothOptions;

  private constructor(dir: string, buildkit: BuildKit, options: BothOptions) {
    this.#dir = dir;
    this.#buildkit = buildkit;
    this.#options = options;
  }

  static async start(programs: BuildKitPrograms, options: BothOptions): Promise<Both> {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-differential-'));
    try {
      const busybox = await makeBusyboxLayout(path.join(dir, 'busybox'));
      const bases = new Map([['busybox', busybox], ['alpine', busybox], ...options.bases]);
      return new Both(dir, await BuildKit.start(programs, path.join(dir, 'buildkit')), { ...options, bases });
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Builds a directory with both: the first differences, none where the images are equal or both fail alike. */
  async compare(source: string): Promise<readonly string[]> {
    const work = path.join(this.#dir, 'work');
    mkdirSync(work);
    try {
      return await withRequest(source, { work, ...this.#options }, (request) => this.#compare(request, work));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  async stop(): Promise<void> {
    await this.#buildkit.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #compare(request: BuildRequest, work: string): Promise<readonly string[]> {
    const theirs = path.join(work, 'by-buildkit');
    const ours = path.join(work, 'by-slipway');
    const want = await this.#buildkit.build(request, theirs);
    const got = await buildWithSlipway(request, ours, path.join(this.#dir, 'store'));
    if (want.failure === undefined && got.failure === undefined) return await compareImages(ours, theirs);
    if (want.failure === undefined) return [`only Slipway fails: ${got.failure}`];
    if (got.failure === undefined) return [`only BuildKit fails: ${want.failure}`];
    const said = withoutCacheKeys(want.failure);
    return got.failure.includes(said) ? [] : [`other failure: ${got.failure}, BuildKit: ${said}`];
  }
}

/** A failure of BuildKit's without the names of its own steps in it. */
function withoutCacheKeys(failure: string): string {
  return failure.replace(/^failed to compute cache key: (failed to calculate checksum of ref \S+: )?/, '');
}
