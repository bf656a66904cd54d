import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { homeDirectory } from '../../base/home-directory.js';
import { BuildError, hasCode } from '../../base/errors.js';

/** Where a Docker engine listens. */
export interface DockerEndpoint {
  /** As the user writes it, without a password. */
  readonly url: string;
  readonly address: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  readonly tls?: DockerTls;
}

export interface DockerTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Whether the engine's certificate must be good. */
  readonly verify: boolean;
}

const PORT = 2375;
const TLS_PORT = 2376;

/**
 * The endpoint that the environment names: DOCKER_HOST, else the context that DOCKER_CONTEXT or Docker's `config.json`
 * chooses; undefined when neither does. Throws CONFIG_INVALID for a context that is not there or cannot be read,
 * ENGINE_UNAVAILABLE for an address that only Docker's own client can reach.
 */
export async function chosenEndpoint(env: NodeJS.ProcessEnv): Promise<DockerEndpoint | undefined> {
  const folder = env['DOCKER_CONFIG'] || path.join(homeDirectory(env), '.docker');
  const host = env['DOCKER_HOST'];
  if (host) {
    const wantsTls = Boolean(env['DOCKER_TLS_VERIFY']);
    return parseEndpoint(host, wantsTls ? await readTls(env['DOCKER_CERT_PATH'] || folder, true) : undefined);
  }
  const context = env['DOCKER_CONTEXT'] || (await currentContext(folder));
  if (!context || context === 'default') return undefined;
  return await contextEndpoint(folder, context);
}

/** `unix://PATH` or `tcp://HOST[:PORT]`; `http` and `https` mean `tcp`. Throws ENGINE_UNAVAILABLE for any other. */
export function parseEndpoint(text: string, tls?: DockerTls): DockerEndpoint {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === 'unix' && rest.startsWith('/')) return { url: text, address: { socketPath: rest } };
  const isTcp = scheme === 'tcp' || scheme === 'http' || scheme === 'https';
  const url = isTcp && URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : undefined;
  if (url?.hostname) {
    const withTls = tls ?? (scheme === 'https' ? { verify: true } : undefined);
    // A URL drops the port that is its scheme's own.
    const given = /:(\d+)\/?$/.exec(rest)?.[1];
    const port = given === undefined ? (withTls ? TLS_PORT : PORT) : Number(given);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return { url: `${scheme}://${url.hostname}:${port}`, address: { host, port }, ...(withTls && { tls: withTls }) };
  }
  const what = scheme === 'ssh' ? 'an engine over ssh' : `the address \`${text.replace(/\/\/[^@/]*@/, '//')}\``;
  throw new BuildError(
    'ENGINE_UNAVAILABLE',
    `${what} cannot be reached: an engine's address is \`unix://\` or \`tcp://\``,
    {
      hint:
        scheme === 'ssh'
          ? 'forward its socket, `ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`, and set `DOCKER_HOST=unix:///tmp/docker.sock`'
          : 'set `DOCKER_HOST` to such an address',
    },
  );
}

const configFile = v.looseObject({ currentContext: v.optional(v.string()) });
const contextFile = v.looseObject({
  Endpoints: v.looseObject({
    docker: v.looseObject({ Host: v.string(), SkipTLSVerify: v.optional(v.boolean()) }),
  }),
});

async function currentContext(folder: string): Promise<string | undefined> {
  return (await readJson(path.join(folder, 'config.json'), configFile))?.currentContext;
}

async function contextEndpoint(folder: string, name: string): Promise<DockerEndpoint> {
  const id = createHash('sha256').update(name).digest('hex');
  const meta = await readJson(path.join(folder, 'contexts/meta', id, 'meta.json'), contextFile);
  if (!meta) {
    throw new BuildError('CONFIG_INVALID', `no Docker context is named \`${name}\``, {
      hint: 'list them with `docker context ls`; DOCKER_CONTEXT or `docker context use` chooses one',
    });
  }
  const { Host, SkipTLSVerify = false } = meta.Endpoints.docker;
  const tls = await readTls(path.join(folder, 'contexts/tls', id, 'docker'), !SkipTLSVerify);
  return parseEndpoint(Host, tls.ca || tls.cert || SkipTLSVerify ? tls : undefined);
}

async function readTls(folder: string, verify: boolean): Promise<DockerTls> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readOptional(path.join(folder, name))),
  );
  return { verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

async function readJson<T>(file: string, schema: v.GenericSchema<unknown, T>): Promise<T | undefined> {
  const bytes = await readOptional(file);
  if (!bytes) return undefined;
  try {
    return v.parse(schema, JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw new BuildError('CONFIG_INVALID', `\`${file}\` is not what Docker writes: ${(error as Error).message}`, {
      hint: 'mend the file, or set `DOCKER_HOST`',
      cause: error,
    });
  }
}

async function readOptional(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new BuildError('CONFIG_INVALID', `cannot read \`${file}\`: ${(error as Error).message}`, { cause: error });
  }
}
