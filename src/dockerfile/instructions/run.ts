import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { parseFlags } from '../flags.js';
import { quote } from '../go-text.js';
import { baseOf, type InstructionBase } from './base.js';
import { parseCommandLine, type CommandLine } from './command-line.js';
import { parseDevice, type Device } from './device.js';
import { mountFrom } from './mount.js';

const NETWORKS = ['default', 'none', 'host'] as const;
const SECURITY = ['sandbox', 'insecure'] as const;
export type RunNetwork = (typeof NETWORKS)[number];
export type RunSecurity = (typeof SECURITY)[number];

/** A mount before expansion: `from` is known, the rest of `text` is read when the stage is converted. */
export interface RunMount {
  readonly from: string;
  readonly text: string;
}

export interface RunInstruction extends InstructionBase<'run'> {
  readonly command: CommandLine;
  readonly mounts: readonly RunMount[];
  readonly network: RunNetwork;
  readonly security: RunSecurity;
  readonly devices: readonly Device[];
}

export function parseRun(node: Node): RunInstruction {
  const flags = parseFlags(node.flags, {
    device: 'strings',
    mount: 'strings',
    network: 'string',
    security: 'string',
  });
  const devices = (flags.device ?? []).map(parseDevice);
  const mounts = (flags.mount ?? []).map((text) => ({ from: mountFrom(text), text }));
  const network = NETWORKS.find((mode) => mode === (flags.network ?? 'default'));
  if (network === undefined) {
    throw new Fault('flag', `invalid network mode ${quote(flags.network!)}`, 'the modes are: default, none, host');
  }
  const security = SECURITY.find((mode) => mode === (flags.security ?? 'sandbox'));
  if (security === undefined) throw new Fault('flag', `security ${quote(flags.security!)} is not valid`);
  return { ...baseOf('run', node), command: parseCommandLine(node), mounts, network, security, devices };
}
