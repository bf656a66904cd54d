import net from 'node:net';

/** The IPv4 network of a namespace. The host numbers are slirp4netns's own, which are the same in any network. */
export interface Subnet {
  readonly network: string;
  readonly prefix: 24;
  readonly address: string;
  readonly gateway: string;
  readonly nameServer: string;
}

/** The first is what Podman and Docker's rootless mode use, the others are there for machines that are in it. */
const CANDIDATES = ['10.0.2', '10.97.143', '172.30.197', '192.168.231'];

/** A network that has none of `taken`, addresses that must be reached as the machine reaches them. */
export function chooseSubnet(taken: readonly string[]): Subnet {
  const isFree = (start: string): boolean => {
    const range = new net.BlockList();
    range.addSubnet(`${start}.0`, 24, 'ipv4');
    return !taken.some((address) => net.isIPv4(address) && range.check(address, 'ipv4'));
  };
  const start = CANDIDATES.find(isFree) ?? CANDIDATES[0]!;
  return {
    network: `${start}.0`,
    prefix: 24,
    address: `${start}.100`,
    gateway: `${start}.2`,
    nameServer: `${start}.3`,
  };
}
