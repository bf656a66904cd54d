import { quoteList } from '../go-text.js';
import type { EntrypointInstruction } from '../instructions/entrypoint.js';
import { withShell } from './shell-form.js';
import type { StageBuild } from './stage-build.js';

/** A CMD that was set before in this stage stays; one that was inherited belongs to another program. */
export function applyEntrypoint(build: StageBuild, { command }: EntrypointInstruction): void {
  const args = command.form === 'shell' ? withShell(build.image, command.args) : command.args;
  build.image.config.Entrypoint = args;
  if (!build.cmdSet) delete build.image.config.Cmd;
  build.record(`ENTRYPOINT ${quoteList(args)}`);
}
