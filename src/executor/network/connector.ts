import os from 'node:os';
import { findProgram } from '../runtime.js';
import type { NetworkMode } from './network-mode.js';
import type { Subnet } from './subnet.js';

/** A program that connects a network namespace with the machine's network, in user space. */
export interface Connector {
  readonly name: 'pasta' | 'slirp4netns';
  readonly file: string;
}

/**
 * The connectors to try, best first. slirp4netns starts in a quarter of the time with a tenth of the memory, and the pasta of
 * Debian 12 never tells a client that has closed its own side that the server has closed the other (seen with `nc`: it
 * waits for ever). But slirp4netns does not have IPv6.
 */
const NAMES = ['slirp4netns', 'pasta'] as const;

/**
 * What is installed of what a mode wants, in the order in which to try it. slirp4netns is left out by `auto` where this
 * machine has only IPv6.
 */
export function findConnectors(mode: NetworkMode, env: NodeJS.ProcessEnv): readonly Connector[] {
  const found: Connector[] = [];
  for (const name of NAMES) {
    if (mode === 'auto' ? name === 'slirp4netns' && hasOnlyIpv6(os.networkInterfaces()) : mode !== name) continue;
    const file = findProgram(name, env);
    if (file !== undefined) found.push({ name, file });
  }
  return found;
}

export function hasOnlyIpv6(interfaces: NodeJS.Dict<readonly os.NetworkInterfaceInfo[]>): boolean {
  const outside = Object.values(interfaces).flatMap((all) => (all ?? []).filter(({ internal }) => !internal));
  const global = outside.filter(({ address }) => !/^fe[89ab]/i.test(address));
  return global.length > 0 && global.every(({ family }) => family === 'IPv6');
}

export interface ConnectorStart {
  /** File that the namespace is bound to. */
  readonly netns: string;
  /** File that is no longer empty when the namespace is connected; open as descriptor 3. */
  readonly ready: string;
  readonly subnet: Subnet;
  /** Whether names are asked of the subnet's name server. */
  readonly forwardsNames: boolean;
  /** True where uid 0 is the machine's. */
  readonly isMachineRoot: boolean;
}

/**
 * The arguments of a connector that stays in the foreground, forwards nothing inwards, and gives no way to the machine's
 * loopback.
 */
export function connectorArgs(name: Connector['name'], start: ConnectorStart): readonly string[] {
  const { netns, ready, subnet, forwardsNames, isMachineRoot } = start;
  if (name === 'slirp4netns') {
    const hidden = ['--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'];
    const shape = ['--configure', '--mtu=65520', `--cidr=${subnet.network}/${subnet.prefix}`, '--ready-fd=3'];
    return [...hidden, ...shape, '--netns-type=path', netns, 'tap0'];
  }
  const outwardsOnly = ['--tcp-ports', 'none', '--udp-ports', 'none', '--tcp-ns', 'none', '--udp-ns', 'none'];
  // An address of its own: with the machine's, which is the default, the machine could not be reached by it.
  const shape = ['--address', subnet.address, '--netmask', String(subnet.prefix), '--gateway', subnet.gateway];
  // Not when it is not used: old versions then take answers of the machine's name server for the forwarder's.
  const names = forwardsNames ? ['--dns-forward', subnet.nameServer] : [];
  // As root of the machine it would become `nobody`, who may not enter the namespace.
  const user = isMachineRoot ? ['--runas', '0:0'] : [];
  const rest = ['--foreground', '--quiet', '--config-net', '--no-netns-quit', '--pid', ready, '--netns', netns];
  return [...outwardsOnly, '--no-map-gw', ...shape, ...names, ...user, ...rest];
}
