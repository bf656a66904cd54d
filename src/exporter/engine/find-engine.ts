import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { BuildError, hasCode } from '../../base/errors.js';
import { findProgram } from '../../executor/runtime.js';
import { CommandEngine } from './command-engine.js';
import { chosenEndpoint } from './docker-endpoint.js';
import { DockerEngine } from './docker-engine.js';
import type { ContainerEngine } from './types.js';

/** Where a machine has its engines. */
export interface EnginePlaces {
  readonly dockerSocket: string;
  readonly containerdSocket: string;
  readonly findProgram: (name: string) => string | undefined;
}

function usualPlaces(env: NodeJS.ProcessEnv): EnginePlaces {
  return {
    dockerSocket: '/var/run/docker.sock',
    containerdSocket: '/run/containerd/containerd.sock',
    findProgram: (name) => findProgram(name, env),
  };
}

/**
 * The engine that images are handed to. The one that DOCKER_HOST or a Docker context names and no other, if one is named;
 * else the first that is here of: Docker's, this user's own Docker, podman, containerd. Throws ENGINE_UNAVAILABLE,
 * and CONFIG_INVALID for Docker's configuration.
 */
export async function findEngine(
  env: NodeJS.ProcessEnv,
  opts: Cancel,
  places: EnginePlaces = usualPlaces(env),
): Promise<ContainerEngine> {
  const chosen = await chosenEndpoint(env);
  if (chosen) {
    const engine = new DockerEngine(chosen);
    const fault = await engine.fault(opts);
    if (!fault) return engine;
    throw new BuildError('ENGINE_UNAVAILABLE', `${engine.name} cannot be used`, {
      hint: 'start it, or change DOCKER_HOST or the Docker context, which name it; `-o type=docker,dest=FILE` needs no engine',
      cause: fault,
    });
  }
  const faults: string[] = [];
  const own = env['XDG_RUNTIME_DIR'];
  for (const socketPath of [places.dockerSocket, ...(own ? [path.join(own, 'docker.sock')] : [])]) {
    const engine = new DockerEngine({ url: `unix://${socketPath}`, address: { socketPath } });
    const fault = await engine.fault(opts);
    if (!fault) return engine;
    if (!hasCode(fault, 'ENOENT', 'ENOTDIR')) faults.push(`${engine.name} cannot be used: ${fault.message}`);
  }
  const podman = places.findProgram('podman');
  if (podman !== undefined) return new CommandEngine('`podman load`', [podman, 'load', '--quiet'], 'docker', env);
  const containerd = await findContainerd(env, places);
  if (containerd) return containerd;
  throw new BuildError(
    'ENGINE_UNAVAILABLE',
    ['no container engine is here that takes the image', ...faults].join('; '),
    { hint: 'start Docker or set DOCKER_HOST, or install podman; `-o type=docker,dest=FILE` needs no engine' },
  );
}

async function findContainerd(
  env: NodeJS.ProcessEnv,
  { containerdSocket, findProgram }: EnginePlaces,
): Promise<ContainerEngine | undefined> {
  if (!(await isListening(containerdSocket))) return undefined;
  const nerdctl = findProgram('nerdctl');
  const address = ['--address', containerdSocket];
  if (nerdctl !== undefined) {
    return new CommandEngine('`nerdctl load`', [nerdctl, ...address, 'load'], 'layout-too', env);
  }
  const ctr = findProgram('ctr');
  if (ctr === undefined) return undefined;
  return new CommandEngine('`ctr images import`', [ctr, ...address, 'images', 'import', '-'], 'layout-too', env);
}

/** Whether someone listens there whom this user may speak to. */
async function isListening(socketPath: string): Promise<boolean> {
  const connection = net.connect(socketPath);
  try {
    await once(connection, 'connect');
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'EACCES')) return false;
    throw error;
  } finally {
    connection.destroy();
  }
}
