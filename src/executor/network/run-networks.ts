import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { BuildError } from '../../base/errors.js';
import { OnceMap } from '../../base/once-map.js';
import type { RunNetwork } from '../types.js';
import { findConnectors, type Connector } from './connector.js';
import type { NetworkMode } from './network-mode.js';
import { OwnNetwork } from './own-network.js';

export interface RunNetworksOptions {
  readonly mode: NetworkMode;
  /** False where a RUN can have the machine's network only. */
  readonly hasNamespaces: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Makes a directory that only this process's mount namespace has. */
  readonly stateDir: () => string;
  readonly isMachineRoot: boolean;
  /** Told once what a RUN gets. */
  readonly onNotice: (level: 'info' | 'warning', text: string) => void;
}

export interface LendOptions extends Cancel {
  /** Of a RUN that may change the interfaces: no other gets the network after it. */
  readonly isInsecure: boolean;
}

/** A network while one RUN has it. */
export interface LentNetwork {
  readonly network: RunNetwork;
  /** Throws NETWORK_FAILED if the network broke while it was lent. */
  check(): void;
  [Symbol.dispose](): void;
}

/** What a RUN gets, as it was found out by trying. Plain data. */
export interface NetworkReport {
  readonly network: 'own' | 'machine';
  readonly reason: string;
  /** True if there would be one of its own, but for what the reason says. */
  readonly isSecondBest: boolean;
}

interface Choice {
  /** Absent where a RUN has the network of the machine. */
  readonly connector?: Connector;
  readonly report: NetworkReport;
}

/**
 * The networks of a worker's RUNs. Two that run at once never share one, so that each has its own ports; one after the
 * other they do, since starting a connector takes as long as a small RUN. What an earlier RUN started has ended by then, and
 * it could not change the interfaces.
 */
export class RunNetworks {
  readonly #options: RunNetworksOptions;
  readonly #free: OwnNetwork[] = [];
  readonly #choosing = new OnceMap<'choice', Choice>();
  #choice: Choice | undefined;
  readonly #said = new Set<string>();

  constructor(options: RunNetworksOptions) {
    this.#options = options;
  }

  /**
   * Whether a RUN that can do with the machine's network alone gets it, and says why (once for each reason). Not if the
   * mode names a connector: whoever chose that wants no other.
   */
  useMachine(why: string): boolean {
    const { mode, env, hasNamespaces, onNotice } = this.#options;
    if (mode !== 'auto' || !hasNamespaces || findConnectors(mode, env).length === 0) return false;
    if (this.#choice?.report.network === 'machine' || this.#said.has(why)) return true;
    this.#said.add(why);
    onNotice('warning', `RUN has the network of this machine: ${why}`);
    return true;
  }

  /** A network for one RUN. Throws NETWORK_FAILED where the mode names a connector that does not work. */
  async lend({ signal, isInsecure }: LendOptions): Promise<LentNetwork> {
    const { connector } = await this.#chosen({ signal });
    if (!connector) return fixedNetwork('host');
    const own = this.#takeFree() ?? (await this.#open(connector, { signal }));
    return {
      network: { netns: own.netns, resolvConf: own.resolvConf },
      check: () => {
        if (own.failure) throw own.failure;
      },
      [Symbol.dispose]: () => {
        if (own.failure || isInsecure) own.close();
        else this.#free.push(own);
      },
    };
  }

  /** What `lend` gives, found out now. Throws as it does. */
  async report(opts: Cancel): Promise<NetworkReport> {
    return (await this.#chosen(opts)).report;
  }

  async #chosen({ signal }: Cancel): Promise<Choice> {
    const choose = async (shared: AbortSignal): Promise<Choice> => (this.#choice = await this.#choose(shared));
    return (this.#choice ??= await this.#choosing.run('choice', signal, choose));
  }

  #takeFree(): OwnNetwork | undefined {
    for (;;) {
      const own = this.#free.pop();
      if (!own?.failure) return own;
      own.close();
    }
  }

  async #choose(signal: AbortSignal): Promise<Choice> {
    const choice = await this.#firstThatWorks(signal);
    const { network, reason, isSecondBest } = choice.report;
    if (network === 'own') this.#options.onNotice('info', `network of RUN: its own, ${reason}`);
    else if (isSecondBest) this.#options.onNotice('warning', `RUN has the network of this machine: ${reason}`);
    else if (this.#options.mode !== 'host')
      this.#options.onNotice('info', `network of RUN: this machine's (${reason})`);
    return choice;
  }

  async #firstThatWorks(signal: AbortSignal): Promise<Choice> {
    const { mode, env, hasNamespaces } = this.#options;
    if (mode === 'host') return onMachine('the network mode is `host`');
    if (!hasNamespaces && mode === 'auto') return onMachine('there are no namespaces here');
    if (!hasNamespaces) throw noNamespaces(mode);
    const failures: BuildError[] = [];
    for (const connector of findConnectors(mode, env)) {
      try {
        this.#free.push(await this.#open(connector, { signal }));
        return { connector, report: { network: 'own', reason: `through ${connector.name}`, isSecondBest: false } };
      } catch (error) {
        if (!(error instanceof BuildError) || error.code !== 'NETWORK_FAILED') throw error;
        if (mode !== 'auto') throw error;
        failures.push(error);
      }
    }
    if (mode !== 'auto') throw notInstalled(mode);
    if (failures.length === 0) return onMachine('slirp4netns and pasta are not installed');
    return onMachine(failures.map(({ message }) => message).join('; '), { isSecondBest: true });
  }

  async #open(connector: Connector, { signal }: Cancel): Promise<OwnNetwork> {
    const { env, isMachineRoot, stateDir } = this.#options;
    const dir = mkdtempSync(path.join(stateDir(), 'net-'));
    return await OwnNetwork.open(connector, { dir, env, isMachineRoot, signal });
  }
}

/** A network that cannot break. */
export function fixedNetwork(network: 'host' | 'none'): LentNetwork {
  return { network, check: () => undefined, [Symbol.dispose]: () => undefined };
}

function onMachine(reason: string, { isSecondBest } = { isSecondBest: false }): Choice {
  return { report: { network: 'machine', reason, isSecondBest } };
}

function noNamespaces(name: string): BuildError {
  return new BuildError('NETWORK_FAILED', `\`${name}\` cannot give RUN a network: there are no namespaces here`, {
    hint: 'leave the network mode to the machine (SLIPWAY_NETWORK_MODE=auto): RUN then has its network',
  });
}

function notInstalled(name: string): BuildError {
  return new BuildError('NETWORK_FAILED', `\`${name}\`, which is to give RUN its network, is not installed`, {
    hint: `install it, for example \`apt-get install ${name === 'pasta' ? 'passt' : name}\``,
  });
}
