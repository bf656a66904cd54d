import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { BuildError, hasCode } from '../../base/errors.js';
import { parseSize } from '../../base/size.js';
import type { BuildOptions } from '../../build/index.js';

type Option<K extends keyof BuildOptions> = NonNullable<BuildOptions[K]>;

/** `--secret id=ID[,src=FILE][,env=NAME][,type=file|env]`; the ID alone is a variable of that name, else a file. */
export function parseSecrets(values: readonly string[], env: NodeJS.ProcessEnv): Option<'secrets'> {
  const secrets: Record<string, Option<'secrets'>[string]> = {};
  for (const text of values) {
    const { id = '', src, source = src, env: name, type, ...others } = fields('--secret', text);
    const unknown = Object.keys(others)[0];
    if (unknown !== undefined) throw usage('--secret', text, `\`${unknown}\` is no member of it`);
    if (id === '') throw usage('--secret', text, 'it needs an `id`');
    if (type !== undefined && type !== 'file' && type !== 'env')
      throw usage('--secret', text, 'a type is `file` or `env`');
    const variable = name ?? (type === 'env' ? (source ?? id) : undefined);
    if (variable !== undefined) secrets[id] = { kind: 'env', name: variable };
    else if (source !== undefined) secrets[id] = { kind: 'file', path: source };
    else secrets[id] = env[id] === undefined ? { kind: 'file', path: id } : { kind: 'env', name: id };
  }
  return secrets;
}

/** `--ssh default|ID[=SOCKET]`; without a socket the agent of this session. */
export function parseAgents(values: readonly string[], env: NodeJS.ProcessEnv): Option<'ssh'> {
  const agents: Record<string, string> = {};
  for (const text of values) {
    const [id, given] = split(text, '=');
    const socket = given ?? env['SSH_AUTH_SOCK'] ?? '';
    if (socket === '') throw usage('--ssh', text, 'no agent is running here: SSH_AUTH_SOCK is not set');
    if (!isSocket(socket))
      throw usage('--ssh', text, `\`${socket}\` is no socket; keys are given to \`ssh-agent\` first`);
    agents[id] = socket;
  }
  return agents;
}

/** `--add-host NAME:IP` or `NAME=IP`. */
export function parseHosts(values: readonly string[]): Option<'addHosts'> {
  return values.map((text) => {
    const [host, address = ''] = split(text, text.includes('=') ? '=' : ':');
    const ip = address.replace(/^\[(.*)\]$/, '$1');
    if (host === '' || isIP(ip) === 0) throw usage('--add-host', text, 'write it as `name:address`');
    return { host, ip };
  });
}

/** `--ulimit NAME=SOFT[:HARD]`; -1 is no limit. */
export function parseUlimits(values: readonly string[]): Option<'ulimits'> {
  return values.map((text) => {
    const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
    if (!match) throw usage('--ulimit', text, 'write it as `name=soft:hard`');
    const [, name = '', soft, hard = soft] = match;
    return { name, soft: Number(soft), hard: Number(hard) };
  });
}

export function parseShmSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw usage('--shm-size', text, 'write it as a number of bytes, or with a unit: 64m');
  return bytes;
}

function fields(flag: string, text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const field of text.split(',')) {
    const [key, value] = split(field, '=');
    if (value === undefined) throw usage(flag, text, `\`${field}\` is not \`key=value\``);
    found[key.toLowerCase()] = value;
  }
  return found;
}

function split(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function isSocket(file: string): boolean {
  try {
    return statSync(file).isSocket();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function usage(flag: string, text: string, hint: string): BuildError {
  return new BuildError('USAGE', `invalid \`${flag} ${text}\``, { hint });
}
