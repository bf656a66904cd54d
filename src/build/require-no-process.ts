import { BuildError } from '../base/errors.js';
import type { Edge } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import type { DockerfileSource } from './contexts.js';
import type { BuildOptions } from './options.js';
import { placeOf } from './steps.js';

/** Refuses a RUN where `--isolation=none` was asked for. Nothing has run by then. Throws ISOLATION_UNAVAILABLE. */
export function requireNoProcess(
  target: Edge | undefined,
  file: DockerfileSource,
  { isolation }: Pick<BuildOptions, 'isolation'>,
): void {
  if (!target || isolation !== 'none') return;
  const step = topological(target.vertex).find(({ op }) => op.kind === 'exec');
  if (!step) return;
  const error = new BuildError('ISOLATION_UNAVAILABLE', `\`--isolation=none\` runs no process, and a step is one`, {
    hint: 'leave `--isolation` out; `slipway doctor` tells which isolation this machine allows',
  });
  error.place = placeOf(file, step.options);
  throw error;
}
