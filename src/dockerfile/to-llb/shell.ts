import type { ShellInstruction } from '../instructions/shell.js';
import type { StageBuild } from './stage-build.js';

export function applyShell(build: StageBuild, { shell }: ShellInstruction): void {
  build.image.config.Shell = shell;
  build.record(`SHELL [${shell.join(' ')}]`);
}
