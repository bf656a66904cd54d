import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { unmountBelow } from '../../base/linux/mounts-below.js';
import { findProgram } from '../runtime.js';
import { connectorArgs, type Connector } from './connector.js';
import { machineResolvConf, nameServers, resolvConfInside } from './resolv-conf.js';
import { chooseSubnet } from './subnet.js';

export interface OwnNetworkOptions extends Cancel {
  /** An empty directory of this network alone. */
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly isMachineRoot: boolean;
}

/** How long a connector may take to connect a namespace, which takes it tens of milliseconds. */
const START_MS = 10_000;
const STDERR_KEPT = 4096;

/**
 * A network namespace with a way outside through a connector, which dies with this process's pid namespace at the latest.
 * The namespace is bound to a file in this process's mount namespace, so it needs no process to stay.
 */
export class OwnNetwork {
  readonly netns: string;
  readonly resolvConf: string;
  readonly #dir: string;
  readonly #connector: ConnectorProcess;

  private constructor(dir: string, netns: string, resolvConf: string, connector: ConnectorProcess) {
    this.#dir = dir;
    this.netns = netns;
    this.resolvConf = resolvConf;
    this.#connector = connector;
  }

  /** Throws NETWORK_FAILED with what the connector said. */
  static async open(connector: Connector, options: OwnNetworkOptions): Promise<OwnNetwork> {
    const { dir, env, signal, isMachineRoot } = options;
    const machine = machineResolvConf();
    const subnet = chooseSubnet([...machineAddresses(), ...nameServers(machine)]);
    const names = resolvConfInside(machine, { forwarder: subnet.nameServer, ipv6: connector.name === 'pasta' });
    if (!names) throw failed(connector, 'the name servers of this machine cannot be reached through it');
    const netns = path.join(dir, 'netns');
    const ready = path.join(dir, 'ready');
    let started: ConnectorProcess | undefined;
    try {
      writeFileSync(netns, '');
      await bindNamespace(netns, connector, options);
      const args = connectorArgs(connector.name, {
        netns,
        ready,
        subnet,
        forwardsNames: names.forwards,
        isMachineRoot,
      });
      started = new ConnectorProcess(connector, args, ready, env);
      await started.untilReady(ready, signal);
      return new OwnNetwork(dir, netns, names.text, started);
    } catch (error) {
      started?.kill();
      release(dir);
      throw error;
    }
  }

  /** What became of the connector, once it has ended; the namespace is then cut off. */
  get failure(): BuildError | undefined {
    return this.#connector.failure;
  }

  close(): void {
    this.#connector.kill();
    release(this.#dir);
  }
}

class ConnectorProcess {
  readonly #connector: Connector;
  readonly #child: ChildProcess;
  #stderr = '';
  #ended: string | undefined;

  constructor(connector: Connector, args: readonly string[], ready: string, env: NodeJS.ProcessEnv) {
    this.#connector = connector;
    const fd = openSync(ready, 'w', 0o600);
    try {
      // In a session of its own, as the runtime: Ctrl-C must not take the network from what is told to end by itself.
      this.#child = spawn(connector.file, args, { stdio: ['ignore', 'ignore', 'pipe', fd], detached: true, env });
    } finally {
      closeSync(fd);
    }
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-STDERR_KEPT);
    });
    this.#child.once('error', (error) => (this.#ended ??= error.message));
    this.#child.once('close', (code, by) => (this.#ended ??= `it ended with ${by ?? `code ${code}`}`));
  }

  get failure(): BuildError | undefined {
    if (this.#ended === undefined) return undefined;
    const said = this.#stderr.split('\n').findLast((line) => line !== '' && !CHATTER.test(line));
    return failed(this.#connector, said?.trim() ?? this.#ended);
  }

  async untilReady(file: string, signal: AbortSignal): Promise<void> {
    const until = Date.now() + START_MS;
    while (statSync(file).size === 0) {
      if (this.failure) throw this.failure;
      if (Date.now() > until) throw failed(this.#connector, `it was not ready after ${START_MS / 1000} s`);
      await sleep(3, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Lines of connectors that say nothing about a failure. */
const CHATTER = /^(WARNING: |Failed to send \d+ bytes to syslog|child failed|(sent|received) tapfd=)/;

/** Makes a network namespace, bound to a file; `unshare` does it since a thread of Node.js's own would take it along. */
async function bindNamespace(file: string, connector: Connector, { env, signal }: OwnNetworkOptions): Promise<void> {
  const program = findProgram('unshare', env);
  if (program === undefined) throw failed(connector, '`unshare` is not installed');
  const child = spawn(program, [`--net=${file}`, '--', 'true'], { stdio: ['ignore', 'ignore', 'pipe'], env });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (exit, by) => resolve(exit ?? by ?? 'a signal'));
  });
  signal.throwIfAborted();
  if (code !== 0) throw failed(connector, `no network namespace: ${stderr.trim() || code}`);
}

function machineAddresses(): readonly string[] {
  return Object.values(os.networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

function failed({ name }: Connector, why: string): BuildError {
  return new BuildError('NETWORK_FAILED', `\`${name}\` gives RUN no network: ${why}`, {
    hint: 'build with `--network=host`, or with SLIPWAY_NETWORK_MODE=auto, which does with what works',
  });
}

/** A network namespace is gone when its last process and its last mount are. */
function release(dir: string): void {
  unmountBelow(fromText(dir));
  rmSync(dir, { recursive: true, force: true });
}
