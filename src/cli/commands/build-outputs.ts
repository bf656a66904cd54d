import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../base/errors.js';
import { parseOutput } from '../../exporter/output-spec.js';
import type { OutputSpec } from '../../exporter/types.js';

export interface OutputFlags {
  readonly output?: readonly string[];
  readonly push?: boolean;
  readonly load?: boolean;
  readonly allow?: readonly string[];
}

const LOCAL_DELETE = 'buildx.local.delete';

/**
 * What `-o`, `--push` and `--load` ask for together, as buildx understands it: `--push` pushes the images that `-o` asks
 * for, or else is an output of its own. Undefined when nothing is asked for. Throws USAGE, UNSUPPORTED, NOT_ALLOWED.
 */
export function buildOutputs({ output, push, load, allow = [] }: OutputFlags): readonly OutputSpec[] | undefined {
  if (output === undefined && !push && !load) return undefined;
  // An engine may refuse; what was built is then in the store, as it is without any output.
  const asked = (output ?? (push ? [] : ['type=image'])).map(parseOutput);
  const outputs = push ? pushed(asked) : asked;
  if (load && !outputs.some(({ type }) => type === 'engine')) outputs.push(parseOutput('type=docker'));
  for (const one of outputs) requireSafe(one, allow);
  return outputs;
}

function pushed(asked: readonly OutputSpec[]): OutputSpec[] {
  const outputs = asked.map((one) => (one.type === 'image' ? { ...one, push: true } : one));
  return outputs.some(({ type }) => type === 'image') ? outputs : [...outputs, parseOutput('type=registry')];
}

/** What deletes files stays below the working directory, unless more is allowed. */
function requireSafe(output: OutputSpec, allow: readonly string[]): void {
  if (output.type !== 'local' || output.mode !== 'delete' || allow.includes(LOCAL_DELETE)) return;
  const relative = path.relative(realpathSync('.'), existingPath(path.resolve(output.dest)));
  if (relative !== '' && relative !== '..' && !relative.startsWith('../')) return;
  throw new BuildError(
    'NOT_ALLOWED',
    `local output mode=delete for destination "${output.dest}" requires --allow=${LOCAL_DELETE}`,
    { hint: 'it would remove files that are not in the result, outside or at the top of the working directory' },
  );
}

/** With the links of what is there resolved. */
function existingPath(file: string): string {
  if (existsSync(file)) return realpathSync(file);
  return path.join(existingPath(path.dirname(file)), path.basename(file));
}
