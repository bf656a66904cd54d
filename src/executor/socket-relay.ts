import { closeSync, constants, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';

/**
 * Listens on a new socket at `socket` and leads what connects there to the one at `target`. Takes the owner and mode that
 * the umask gives. What takes it down is put into `closers`; the socket file goes with it.
 */
export async function relaySocket(socket: string, target: string, closers: (() => void)[]): Promise<void> {
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
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(reachable(socket, closers), resolve);
  });
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
