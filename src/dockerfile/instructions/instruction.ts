import type { Node } from '../ast.js';
import { Fault } from '../diagnostic.js';
import { withSuggestion } from '../../base/suggest.js';
import { parseAdd, type AddInstruction } from './add.js';
import { parseArg, type ArgInstruction } from './arg.js';
import { parseCmd, type CmdInstruction } from './cmd.js';
import { parseCopy, type CopyInstruction } from './copy.js';
import { parseEntrypoint, type EntrypointInstruction } from './entrypoint.js';
import { parseEnv, type EnvInstruction } from './env.js';
import { parseExpose, type ExposeInstruction } from './expose.js';
import { parseFrom, type FromInstruction } from './from.js';
import { parseHealthcheck, type HealthcheckInstruction } from './healthcheck.js';
import { parseLabel, type LabelInstruction } from './label.js';
import { parseMaintainer, type MaintainerInstruction } from './maintainer.js';
import { parseOnbuild, type OnbuildInstruction } from './onbuild.js';
import { parseRun, type RunInstruction } from './run.js';
import { parseShell, type ShellInstruction } from './shell.js';
import { parseStopsignal, type StopsignalInstruction } from './stopsignal.js';
import { parseUser, type UserInstruction } from './user.js';
import { parseVolume, type VolumeInstruction } from './volume.js';
import { parseWorkdir, type WorkdirInstruction } from './workdir.js';

/** Every instruction that can stand inside a stage. */
export type StageInstruction =
  | AddInstruction
  | ArgInstruction
  | CmdInstruction
  | CopyInstruction
  | EntrypointInstruction
  | EnvInstruction
  | ExposeInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | MaintainerInstruction
  | OnbuildInstruction
  | RunInstruction
  | ShellInstruction
  | StopsignalInstruction
  | UserInstruction
  | VolumeInstruction
  | WorkdirInstruction;

export type Instruction = FromInstruction | StageInstruction;
export type InstructionKind = Instruction['kind'];

const PARSERS: { readonly [K in InstructionKind]: (node: Node) => Extract<Instruction, { kind: K }> } = {
  add: parseAdd,
  arg: parseArg,
  cmd: parseCmd,
  copy: parseCopy,
  entrypoint: parseEntrypoint,
  env: parseEnv,
  expose: parseExpose,
  from: parseFrom,
  healthcheck: parseHealthcheck,
  label: parseLabel,
  maintainer: parseMaintainer,
  onbuild: parseOnbuild,
  run: parseRun,
  shell: parseShell,
  stopsignal: parseStopsignal,
  user: parseUser,
  volume: parseVolume,
  workdir: parseWorkdir,
};

export const UNKNOWN_INSTRUCTION = 'unknown-instruction';

/** Gives a node its meaning. Throws a Fault in BuildKit's words, without the line. */
export function parseInstruction(node: Node): Instruction {
  const kind = node.keyword.toLowerCase();
  if (Object.hasOwn(PARSERS, kind)) return PARSERS[kind as InstructionKind](node);
  const known = Object.keys(PARSERS).map((name) => name.toUpperCase());
  const message = `unknown instruction: ${node.keyword}`;
  throw new Fault(UNKNOWN_INSTRUCTION, withSuggestion(message, node.keyword, known, false));
}
