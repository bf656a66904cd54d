import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Cancel } from '../../base/abort.js';
import { GO_DESCRIPTOR, type WorkerLaunch } from './launch.js';
import { writeIdMaps } from './write-id-maps.js';

export interface LaunchOptions extends Cancel, Pick<SpawnOptions, 'env' | 'serialization'> {
  /** Descriptors 0, 1, 2 and 3. */
  readonly stdio: readonly ['ignore', 'ignore' | 'pipe' | 'inherit', 'pipe' | 'inherit', 'ipc' | 'ignore'];
}

export interface Launched {
  readonly child: ChildProcess;
  /**
   * When the process has its ids. Also when it has ended before: how it ended tells more. Rejects with
   * ISOLATION_UNAVAILABLE when it cannot get them; then the process is being killed.
   */
  readonly mapped: Promise<void>;
}

/** Spawns `command` in the namespaces of a launch. */
export function startLaunch(launch: WorkerLaunch, command: readonly string[], options: LaunchOptions): Launched {
  const { signal, stdio, ...rest } = options;
  const [program = '', ...args] = [...launch.argv, ...command];
  const descriptors: StdioOptions = launch.idMaps.length === 0 ? [...stdio] : [...stdio, 'pipe'];
  const child = spawn(program, args, { ...rest, stdio: descriptors });
  return { child, mapped: giveIds(child, launch, { signal }) };
}

/** The process waits on its end of `GO_DESCRIPTOR`: a line lets it go on, and the end of this side ends it. */
async function giveIds(child: ChildProcess, { idMaps }: WorkerLaunch, opts: Cancel): Promise<void> {
  const channel = child.stdio[GO_DESCRIPTOR] as Duplex | null | undefined;
  if (idMaps.length === 0 || !channel) return;
  channel.on('error', () => undefined); // the process has ended
  try {
    const asked = await Promise.race([
      once(channel, 'data').then(() => true),
      once(channel, 'close').then(() => false),
      once(child, 'error').then(() => false),
    ]);
    if (!asked || child.pid === undefined) return;
    await writeIdMaps(child.pid, idMaps, opts);
    channel.resume();
    channel.end('go\n');
    await once(channel, 'close'); // it goes on
  } catch (error) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    throw error;
  } finally {
    channel.destroy();
  }
}
