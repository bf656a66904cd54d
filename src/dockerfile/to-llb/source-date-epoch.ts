import { Fault, unsupported } from '../diagnostic.js';
import type { Stage } from '../parse.js';
import type { EnvList } from './env-list.js';
import type { Expander } from './expander.js';
import type { ConvertOptions } from './options.js';
import { findContext } from './contexts.js';
import { isRemote } from './remote-source.js';

/**
 * The time that SOURCE_DATE_EPOCH stands for, in seconds: a number, or the name of a context or of a stage with one
 * remote ADD. undefined: none. Throws a Fault.
 */
export function resolveEpoch(
  value: string,
  stages: readonly Stage[],
  globalArgs: EnvList,
  expander: Expander,
  options: ConvertOptions,
): number | undefined {
  if (value === '') return undefined;
  if (/^[-+]?\d+$/.test(value)) return Number(value);
  if (value === 'context') return undefined; // a directory has no date
  if (findContext(options, value, options.buildPlatform) !== undefined) return undefined;
  const stage = stages.find(({ from }) => from.name === value.toLowerCase());
  if (stage === undefined) throw new Fault('epoch', `invalid SOURCE_DATE_EPOCH: ${value}`, 'write seconds since 1970');
  requireSourceOnly(stage, globalArgs.without('SOURCE_DATE_EPOCH'), expander);
  throw unsupported('SOURCE_DATE_EPOCH from a stage', 'write seconds since 1970');
}

function requireSourceOnly(stage: Stage, env: EnvList, expander: Expander): void {
  if (expander.word(stage.from.base, env) !== 'scratch') {
    throw new Fault('epoch', 'SOURCE_DATE_EPOCH stage must use FROM scratch');
  }
  let found = false;
  for (const instruction of stage.instructions) {
    if (instruction.kind === 'arg') continue;
    if (instruction.kind !== 'add') {
      const problem = `unsupported ${instruction.keyword} instruction`;
      throw new Fault('epoch', `SOURCE_DATE_EPOCH stage does not meet source-only requirements: ${problem}`);
    }
    if (found) throw new Fault('epoch', 'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD');
    if (instruction.inlineFiles.length > 0 || instruction.sources.length !== 1) {
      throw new Fault('epoch', 'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD source');
    }
    if (isRemote(instruction.sources[0]!) === undefined) {
      throw new Fault('epoch', 'SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD');
    }
    found = true;
  }
  if (!found) throw new Fault('epoch', 'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD');
}
