import { BuildError } from '../../base/errors.js';
import { runImage } from '../../build/index.js';
import { Interrupted } from '../interrupt.js';
import { SignalRelay } from '../../worker/signal-relay.js';

interface RunFlags {
  readonly root?: string;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly entrypoint?: string;
  readonly network: string;
  readonly isolation?: string;
}

/** The exit code is that of the process; after Ctrl-C, the process gets the signal and some time to end by itself. */
export async function run(image: string, args: readonly string[], flags: RunFlags): Promise<void> {
  if (flags.network !== 'host' && flags.network !== 'none') {
    throw new BuildError('USAGE', `invalid network \`${flags.network}\``, { hint: 'the modes are: host, none' });
  }
  const signals = new SignalRelay();
  const stop = new AbortController();
  let received = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      received++;
      if (received > 1) stop.abort(new Interrupted(name));
      else signals.deliver(name);
    });
  }
  process.exitCode = await runImage({
    image,
    args,
    env: (flags.env ?? []).map((one) => (one.includes('=') ? one : `${one}=${process.env[one] ?? ''}`)),
    ...(flags.root !== undefined && { root: flags.root }),
    ...(flags.user !== undefined && { user: flags.user }),
    ...(flags.workdir !== undefined && { cwd: flags.workdir }),
    ...(flags.entrypoint !== undefined && { entrypoint: flags.entrypoint }),
    ...(flags.isolation !== undefined && { isolation: flags.isolation }),
    network: flags.network,
    signal: stop.signal,
    signals,
    onOutput: (stream, chunk) => new Promise((resolve) => process[stream].write(chunk, () => resolve())),
  });
}
