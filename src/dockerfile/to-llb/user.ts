import type { UserInstruction } from '../instructions/user.js';
import type { StageBuild } from './stage-build.js';

/** Without a history entry: what a base image's config asks for. */
export function setUser(build: StageBuild, user: string): void {
  build.user = user;
  build.image.config.User = user;
}

export function applyUser(build: StageBuild, instruction: UserInstruction): void {
  const user = build.expand(instruction.user);
  setUser(build, user);
  build.record(`USER ${user}`);
}
