import type { OnbuildInstruction } from '../instructions/onbuild.js';
import type { StageBuild } from './stage-build.js';

/** Stored for the images that will stand on this one; leaves no history. */
export function applyOnbuild(build: StageBuild, { expression }: OnbuildInstruction): void {
  build.image.config.OnBuild = [...(build.image.config.OnBuild ?? []), expression];
}
