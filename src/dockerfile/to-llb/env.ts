import type { EnvInstruction } from '../instructions/env.js';
import type { StageBuild } from './stage-build.js';

/** Every value of one instruction sees the variables as they were before it. */
export function applyEnv(build: StageBuild, instruction: EnvInstruction): void {
  const pairs = instruction.pairs.map(({ key, value }) => [build.expand(key), build.expand(value)] as const);
  for (const [key, value] of pairs) {
    build.tell('name', { keyword: 'ENV', key });
    build.env = build.env.with(key, value);
    build.image.setEnv(key, value);
  }
  build.record(['ENV', ...pairs.map(([key, value]) => `${key}=${value}`)].join(' '));
}
