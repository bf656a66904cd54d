import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../base/errors.js';
import { relaySocket } from '../../executor/socket-relay.js';
import { chownTo, type GiveFile } from './give-file.js';
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
  give: GiveFile = chownTo,
): Promise<string | undefined> {
  const { id, uid, gid, mode, optional } = agent;
  const target = given[id === '' ? DEFAULT_ID : id];
  if (target === undefined) {
    if (optional) return undefined;
    throw new BuildError('SECRET_NOT_FOUND', `no SSH key "${id}" forwarded from the client`, {
      hint: `give the agent with \`--ssh ${id === '' ? DEFAULT_ID : id}\``,
    });
  }
  const socket = path.join(dir, randomBytes(8).toString('hex'));
  await relaySocket(socket, target, closers);
  give(socket, { uid, gid });
  chmodSync(socket, mode & 0o777);
  return socket;
}
