import type { RunSpec } from '../types.js';

/** What to say when a process failed that has a network of its own and names the loopback, as if it were the machine's. */
export function localhostHint({ network, args, env }: RunSpec): string | undefined {
  if (typeof network === 'string') return undefined;
  const proxies = env.filter((variable) => /^(?:http|https|ftp|all)_proxy=/i.test(variable));
  const name = [...args, ...proxies].map((text) => LOOPBACK.exec(text)?.[0]).find((found) => found !== undefined);
  if (name === undefined) return undefined;
  return `\`${name}\` is the step's own here; if a server on this machine is meant, build with \`--network=host\``;
}

const LOOPBACK = /(?<![\w.-])(?:localhost|127\.\d+\.\d+\.\d+)(?![\w.-])|\[::1\]/;
