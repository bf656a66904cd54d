import type { MaintainerInstruction } from '../instructions/maintainer.js';
import type { StageBuild } from './stage-build.js';

export function applyMaintainer(build: StageBuild, { maintainer }: MaintainerInstruction): void {
  build.image.author = maintainer;
  build.record(`MAINTAINER ${maintainer}`);
}
