import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import { Store, storeRoot } from '../store/store.js';
import type { OutputListener, SignalSource } from '../worker/machine.js';
import { BaseImages } from './base-images.js';
import { findImage } from './images.js';
import { openMachines } from './open-machines.js';

export interface RunImageOptions {
  readonly image: string;
  /** In place of CMD. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user?: string;
  readonly cwd?: string;
  readonly entrypoint?: string;
  readonly network: 'host' | 'none';
  readonly root?: string;
  readonly isolation?: string;
  readonly signal: AbortSignal;
  /** Passed on to the process. */
  readonly signals: SignalSource;
  readonly onOutput: OutputListener;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs an image of the store in a throw-away copy; gives the exit code of its process. */
export async function runImage(options: RunImageOptions): Promise<number> {
  const { store, lease } = await Store.open(storeRoot(options.root, process.env), options);
  const job: JobContext = {
    signal: options.signal,
    emit: () => undefined,
    now: Date.now,
    session: { contexts: new Map() },
  };
  const machines = openMachines({ store, job, isolation: options.isolation, trustHostCa: false });
  try {
    const { image } = await findImage(store, options.image, options);
    const config = image.config.config ?? {};
    const entrypoint = options.entrypoint === undefined ? (config.Entrypoint ?? []) : [options.entrypoint];
    const keepsCmd = options.args.length === 0 && options.entrypoint === undefined;
    const args = [...entrypoint, ...(keepsCmd ? (config.Cmd ?? []) : options.args)];
    if (args.length === 0) {
      throw new BuildError('USAGE', `image \`${options.image}\` has neither ENTRYPOINT nor CMD`, {
        hint: 'give a command after the image',
      });
    }
    const ref = await new BaseImages({ store }).ensureImage(image, job);
    const env = mergeEnv([DEFAULT_PATH], [...(config.Env ?? []), ...options.env]);
    const request = {
      ref,
      args,
      env,
      cwd: options.cwd ?? (config.WorkingDir || '/'),
      user: options.user ?? config.User ?? '',
      network: options.network,
    };
    return await machines.runImage(request, { ...options, signals: options.signals });
  } finally {
    await machines.stop();
    await lease.release();
  }
}

/** Later values win, at the place of the first. */
function mergeEnv(defaults: readonly string[], env: readonly string[]): readonly string[] {
  const merged = new Map<string, string>();
  for (const one of [...defaults, ...env]) merged.set(one.slice(0, one.indexOf('=')), one);
  return [...merged.values()];
}
