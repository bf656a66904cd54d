import { quoteList } from '../go-text.js';
import type { CmdInstruction } from '../instructions/cmd.js';
import { withShell } from './shell-form.js';
import type { StageBuild } from './stage-build.js';

export function applyCmd(build: StageBuild, { command }: CmdInstruction): void {
  const args = command.form === 'shell' ? withShell(build.image, command.args) : command.args;
  build.image.config.Cmd = args;
  build.image.config.ArgsEscaped = true;
  build.cmdSet = true;
  build.record(`CMD ${quoteList(args)}`);
}
