import { Fault } from '../diagnostic.js';
import { EMPTY_VOLUME, type VolumeInstruction } from '../instructions/volume.js';
import type { StageBuild } from './stage-build.js';

export function applyVolume(build: StageBuild, instruction: VolumeInstruction): void {
  const volumes = instruction.volumes.map(build.expand);
  if (volumes.includes('')) throw new Fault('arguments', EMPTY_VOLUME);
  const added = Object.fromEntries(volumes.map((volume) => [volume, {}]));
  build.image.config.Volumes = { ...build.image.config.Volumes, ...added };
  build.record(`VOLUME [${volumes.join(' ')}]`);
}
