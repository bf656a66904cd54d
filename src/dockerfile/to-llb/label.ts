import type { LabelInstruction } from '../instructions/label.js';
import type { StageBuild } from './stage-build.js';

export function applyLabel(build: StageBuild, instruction: LabelInstruction): void {
  const pairs = instruction.pairs.map(({ key, value }) => [build.expand(key), build.expand(value)] as const);
  build.image.config.Labels = { ...build.image.config.Labels, ...Object.fromEntries(pairs) };
  build.record(['LABEL', ...pairs.map(([key, value]) => `${key}=${value}`)].join(' '));
}
