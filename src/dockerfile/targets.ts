import type { LineRange } from './diagnostic.js';
import type { Dockerfile } from './parse.js';

/** A stage that can be asked for with `--target`; base and platform as they are written. */
export interface Target {
  /** '' without one. */
  readonly name: string;
  readonly description: string;
  /** It is what is built when none is asked for. */
  readonly isDefault: boolean;
  readonly base: string;
  readonly platform: string;
  readonly range: LineRange;
}

/** The stages of a file without errors. */
export function targetsOf({ stages }: Dockerfile): readonly Target[] {
  return stages.map(({ from, index }) => ({
    name: from.name,
    description: from.docComment ?? '',
    isDefault: index === stages.length - 1,
    base: from.base,
    platform: from.platform,
    range: from.range,
  }));
}
