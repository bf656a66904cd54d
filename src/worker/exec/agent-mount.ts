import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, closeSync, constants, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { BuildError } from '../../base/errors.js';
import type { ExecMount } from '../../llb/types.js';

type Agent = ExecMount['mount'] & { readonly type: 'ssh' };

const DEFAULT_ID = 'default';

/**
 * A socket in `dir` that leads to an ssh agent, with the owner and mode that the mount asks for: those of the agent's own
 * socket are not ours to change. Undefined when an optional agent is missing. What takes it down is put into `closers`.
 */
export async function mountAgent(
  agent: Agent,
  given: Readonly<Record<string, string>>,
  dir: string,
  closers: (() => void)[],
): Promise<string | undefined> {
  const { id, uid, gid, mode, optional } = agent;
  const target = given[id === '' ? DEFAULT_ID : id];
  if (target === undefined) {
    if (optional) return undefined;
    throw new BuildError('SECRET_NOT_FOUND', `no SSH key "${id}" forwarded from the client`, {
      hint: `give the agent with \`--ssh ${id === '' ? DEFAULT_ID : id}\``,
    });
  }
  const open = new Set<Socket>();
  const upstreamPath = reachable(target, closers);
  const server = createServer((client) => {
    const upstream = connect(upstreamPath);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy()); // the side that broke has closed; the process sees its end of it
      one.on('close', () => open.delete(one));
    }
  });
  closers.push(() => {
    server.close();
    for (const one of open) one.destroy();
  });
  const socket = path.join(dir, randomBytes(8).toString('hex'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(reachable(socket, closers), resolve);
  });
  chownSync(socket, uid, gid);
  chmodSync(socket, mode & 0o777);
  return socket;
}

/**
 * A path to a socket, short enough for an address of one (107 bytes), however deep it lies: through its directory, which is
 * held open until the closers are called.
 */
function reachable(socket: string, closers: (() => void)[]): string {
  const fd = openSync(path.dirname(socket), constants.O_RDONLY | constants.O_DIRECTORY);
  closers.push(() => closeSync(fd));
  return `/proc/self/fd/${fd}/${path.basename(socket)}`;
}
