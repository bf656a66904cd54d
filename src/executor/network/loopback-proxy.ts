import net from 'node:net';

const NAMES: ReadonlySet<string> = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY']);

/**
 * `host:port` of a proxy among proxy variables that listens on the loopback of this machine, where only what has the
 * machine's network can reach it.
 */
export function loopbackProxy(env: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(env)) {
    if (!NAMES.has(name.toUpperCase())) continue;
    const text = value.includes('://') ? value : `http://${value}`;
    if (value === '' || !URL.canParse(text)) continue;
    const { hostname, host } = new URL(text);
    if (isLoopback(hostname.replace(/^\[|\]$/g, '').toLowerCase())) return host;
  }
  return undefined;
}

function isLoopback(name: string): boolean {
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const family = net.isIP(name);
  if (family === 0) return false;
  const loopback = new net.BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  return loopback.check(name, family === 4 ? 'ipv4' : 'ipv6');
}
