import { logoutOfRegistry } from '../../build/index.js';

export async function run(host: string | undefined, signal: AbortSignal): Promise<void> {
  const wasIn = await logoutOfRegistry({ ...(host !== undefined && { registry: host }), signal });
  const name = host ?? 'docker.io';
  process.stderr.write(wasIn ? `Removing login credentials for ${name}\n` : `Not logged in to ${name}\n`);
}
