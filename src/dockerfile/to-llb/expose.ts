import { exposedPorts } from '../expose.js';
import type { ExposeInstruction } from '../instructions/expose.js';
import type { StageBuild } from './stage-build.js';

export function applyExpose(build: StageBuild, instruction: ExposeInstruction): void {
  const words = instruction.ports.flatMap((port) => build.conversion.expander.words(port, build.env));
  build.tell('expose', words);
  const ports = exposedPorts(words);
  const added = Object.fromEntries(ports.map((port) => [port, {}]));
  build.image.config.ExposedPorts = { ...build.image.config.ExposedPorts, ...added };
  build.record(`EXPOSE [${ports.join(' ')}]`);
}
