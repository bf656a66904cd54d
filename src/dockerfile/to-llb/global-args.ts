import { formatPlatform, type Platform } from '../../oci/platform.js';
import type { ArgDefinition, ArgInstruction } from '../instructions/arg.js';
import { EnvList } from './env-list.js';
import type { Expander } from './expander.js';

/** The platform arguments that every Dockerfile may use, before its own ARGs. */
export function predefinedArgs(
  buildPlatform: Platform,
  targetPlatform: Platform,
  targetStage: string,
  buildArgs: Readonly<Record<string, string>>,
): EnvList {
  const values: readonly (readonly [string, string])[] = [
    ['BUILDPLATFORM', formatPlatform(buildPlatform)],
    ['BUILDOS', buildPlatform.os],
    ['BUILDOSVERSION', buildPlatform.osVersion ?? ''],
    ['BUILDARCH', buildPlatform.architecture],
    ['BUILDVARIANT', buildPlatform.variant ?? ''],
    ['TARGETPLATFORM', formatPlatform(targetPlatform)],
    ['TARGETOS', targetPlatform.os],
    ['TARGETOSVERSION', targetPlatform.osVersion ?? ''],
    ['TARGETARCH', targetPlatform.architecture],
    ['TARGETVARIANT', targetPlatform.variant ?? ''],
    ['TARGETSTAGE', targetStage === '' ? 'default' : targetStage],
  ];
  return new EnvList(values.map(([name, value]) => [name, valueIn(buildArgs, name) ?? value]));
}

export interface GlobalArgsListener {
  /** The instruction that is being expanded. */
  readonly at: (instruction: ArgInstruction) => void;
  /** What it came to; `uses` are the variables of the default. */
  readonly found: (arg: ArgDefinition, value: string | undefined, uses: ReadonlySet<string>) => void;
}

/** `args` with the ARGs before the first FROM. */
export function withGlobalArgs(
  args: EnvList,
  instructions: readonly ArgInstruction[],
  buildArgs: Readonly<Record<string, string>>,
  expander: Expander,
  listener?: GlobalArgsListener,
): EnvList {
  let env = args;
  for (const instruction of instructions) {
    listener?.at(instruction);
    for (const arg of instruction.args) {
      const { key, value } = arg;
      const given = valueIn(buildArgs, key);
      const expanded = given !== undefined || value === undefined ? undefined : expander.matches(value, env);
      const result = given ?? expanded?.text;
      listener?.found(arg, result, expanded?.matched ?? new Set());
      if (result !== undefined) env = env.with(key, result);
    }
  }
  return env;
}

/** Own members only: a build-arg may be called `constructor`. */
export function valueIn(values: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Proxy settings among the build-args, in both cases; undefined when there are none. */
export function proxyEnv(buildArgs: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  const env: Record<string, string> = {};
  for (const name of Object.keys(buildArgs).sort()) {
    const proxy = name.toUpperCase();
    if (!PROXIES.includes(proxy)) continue;
    env[proxy] = buildArgs[name]!;
    env[proxy.toLowerCase()] = buildArgs[name]!;
  }
  return Object.keys(env).length === 0 ? undefined : env;
}
