import { readFileSync } from 'node:fs';
import net from 'node:net';
import { hasCode } from '../../base/errors.js';

/** The machine's own resolv.conf, for what uses its network; empty when it has none. */
export function machineResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

/** Addresses of the `nameserver` lines, in order. */
export function nameServers(text: string): readonly string[] {
  return [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, address]) => address!);
}

export interface NameServerReach {
  /** Asks the machine's first IPv4 name server, wherever that listens. */
  readonly forwarder: string;
  readonly ipv6: boolean;
}

/**
 * A resolv.conf for a namespace that has a way outside but not to the machine's loopback, where systemd-resolved and
 * dnsmasq listen. If the first name server can be reached it stays, with the others that can; if it cannot, the
 * forwarder takes the place of all. Undefined when neither is possible. What is not about name servers stays.
 */
export function resolvConfInside(
  text: string,
  reach: NameServerReach,
): { readonly text: string; readonly forwards: boolean } | undefined {
  const servers = nameServers(text);
  const isReached = (address: string): boolean => isOutside(address) && (reach.ipv6 || net.isIPv4(address));
  if (servers.length === 0 || isReached(servers[0]!)) {
    return { text: withNameServers(text, servers.filter(isReached)), forwards: false };
  }
  if (servers.some((address) => net.isIPv4(address))) {
    return { text: withNameServers(text, [reach.forwarder]), forwards: true };
  }
  const reached = servers.filter(isReached);
  return reached.length === 0 ? undefined : { text: withNameServers(text, reached), forwards: false };
}

let ownAddresses: net.BlockList | undefined;

function loopback(): net.BlockList {
  if (!ownAddresses) {
    ownAddresses = new net.BlockList();
    ownAddresses.addSubnet('127.0.0.0', 8, 'ipv4');
    for (const address of ['0.0.0.0', '::1', '::'])
      ownAddresses.addAddress(address, net.isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return ownAddresses;
}

/** Addresses with a zone, such as `fe80::1%eth0`, are of one link of the machine's. */
function isOutside(address: string): boolean {
  const family = net.isIP(address);
  return family !== 0 && !address.includes('%') && !loopback().check(address, family === 4 ? 'ipv4' : 'ipv6');
}

function withNameServers(text: string, servers: readonly string[]): string {
  const others = text.split('\n').filter((line) => line !== '' && !/^nameserver[ \t]/.test(line));
  return [...servers.map((address) => `nameserver ${address}`), ...others].map((line) => `${line}\n`).join('');
}
