import net from 'node:net';

/** The name under which people speak of Docker Hub, the host that serves it, and its entry in Docker's files. */
export const DOCKER_HUB = {
  name: 'docker.io',
  host: 'registry-1.docker.io',
  entry: 'https://index.docker.io/v1/',
} as const;

const HUB_NAMES: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** The registry that `host` stands for, in lower case; all names of Docker Hub are one, the one that references have. */
export function registryName(host: string): string {
  const name = host.toLowerCase();
  return HUB_NAMES.has(name) ? DOCKER_HUB.name : name;
}

/** `host[:port]` that the registry of this name is reached at. */
export function serverOf(registry: string): string {
  return registryName(registry) === DOCKER_HUB.name ? DOCKER_HUB.host : registry;
}

/** Whether `host[:port]` is this machine by its name, so that nobody can listen on the way. */
export function isLoopback(host: string): boolean {
  const name = hostnameOf(host);
  return name === 'localhost' || name === '::1' || (net.isIPv4(name) && name.startsWith('127.'));
}

export function hasPort(host: string): boolean {
  return /:\d+$/.test(host);
}

function hostnameOf(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}
