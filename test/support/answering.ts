import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A port of 127.0.0.1 on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Status of the first answer that comes, within half a minute. */
export async function firstStatus(url: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    try {
      return (await fetch(url)).status;
    } catch (error) {
      if (tries > 150) throw error;
      await sleep(200);
    }
  }
}
