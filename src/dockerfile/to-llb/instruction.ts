import { unreachable } from '../../base/errors.js';
import { applyAdd } from './add.js';
import { applyArg } from './arg.js';
import { applyCmd } from './cmd.js';
import { applyCopy } from './copy.js';
import { applyEntrypoint } from './entrypoint.js';
import { applyEnv } from './env.js';
import { applyExpose } from './expose.js';
import { applyHealthcheck } from './healthcheck.js';
import { applyLabel } from './label.js';
import { applyMaintainer } from './maintainer.js';
import { applyOnbuild } from './onbuild.js';
import type { Command } from './planned-stage.js';
import { applyRun } from './run.js';
import { applyShell } from './shell.js';
import type { StageBuild } from './stage-build.js';
import { applyStopsignal } from './stopsignal.js';
import { applyUser } from './user.js';
import { applyVolume } from './volume.js';
import { applyWorkdir } from './workdir.js';

/** Applies one instruction to its stage. Throws a Fault. */
export function applyInstruction(build: StageBuild, command: Command): void {
  const { instruction, sources } = command;
  build.begin(command);
  switch (instruction.kind) {
    case 'add':
      return applyAdd(build, instruction);
    case 'arg':
      return applyArg(build, instruction);
    case 'cmd':
      return applyCmd(build, instruction);
    case 'copy':
      return applyCopy(build, instruction, sources[0]);
    case 'entrypoint':
      return applyEntrypoint(build, instruction);
    case 'env':
      return applyEnv(build, instruction);
    case 'expose':
      return applyExpose(build, instruction);
    case 'healthcheck':
      return applyHealthcheck(build, instruction);
    case 'label':
      return applyLabel(build, instruction);
    case 'maintainer':
      return applyMaintainer(build, instruction);
    case 'onbuild':
      return applyOnbuild(build, instruction);
    case 'run':
      return applyRun(build, instruction, sources);
    case 'shell':
      return applyShell(build, instruction);
    case 'stopsignal':
      return applyStopsignal(build, instruction);
    case 'user':
      return applyUser(build, instruction);
    case 'volume':
      return applyVolume(build, instruction);
    case 'workdir':
      return applyWorkdir(build, instruction);
    default:
      return unreachable(instruction);
  }
}
