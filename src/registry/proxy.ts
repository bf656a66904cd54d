import net from 'node:net';
import { BuildError } from '../base/errors.js';
import { isLoopback } from './hosts.js';

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' };
const PROTOCOLS: ReadonlySet<string> = new Set(['http:', 'https:', 'socks5:']);

/**
 * The proxy that the environment names for a URL: `HTTPS_PROXY` or `HTTP_PROXY`, in capitals or not, unless `NO_PROXY`
 * covers it. This machine itself is never asked through a proxy. Throws CONFIG_INVALID for what is no proxy's URL.
 */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const value = env[name] || env[name.toUpperCase()];
  if (!value || isLoopback(url.host)) return undefined;
  if (isExempt(url, env['no_proxy'] || env['NO_PROXY'] || '')) return undefined;
  const text = value.includes('://') ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy && PROTOCOLS.has(proxy.protocol)) return proxy;
  throw new BuildError('CONFIG_INVALID', `\`${name.toUpperCase()}\` is not the URL of a proxy`, {
    hint: 'it looks like `http://host:port`; https and socks5 are known too',
  });
}

/** As Go's programs read it: hosts with their subdomains, `.domain`, addresses, networks, each with a port or not; `*`. */
function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || DEFAULT_PORTS[url.protocol]!;
  return list
    .toLowerCase()
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || covers(entry, host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry.includes('/')) return networkHas(entry, host);
  const [, bracketed, plain, ownPort] = /^(?:\[(.*)\]|([^:]*|.*:.*:.*))(?::(\d+))?$/.exec(entry) ?? [];
  if (ownPort !== undefined && ownPort !== port) return false;
  const name = (bracketed ?? plain ?? '').replace(/^\*\./, '.');
  if (name.startsWith('.')) return host.endsWith(name);
  return name !== '' && (host === name || host.endsWith(`.${name}`));
}

function networkHas(entry: string, host: string): boolean {
  const [address = '', prefix = ''] = entry.split('/');
  const family = net.isIP(host);
  if (family === 0 || net.isIP(address) !== family || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const networks = new net.BlockList();
  networks.addSubnet(address, Number(prefix), kind);
  return networks.check(host, kind);
}
