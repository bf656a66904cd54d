import type { ArgInstruction } from '../instructions/arg.js';
import { valueIn } from './global-args.js';
import type { StageBuild } from './stage-build.js';

/** Build-args that steer the builder and are no variables of a RUN. */
const NO_VARIABLES: ReadonlySet<string> = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/** A value comes from the command line, else from the default, else from the global ARG of the name. */
export function applyArg(build: StageBuild, instruction: ArgInstruction): void {
  const { buildArgs, globalArgs } = build.conversion;
  const shown: string[] = [];
  for (const arg of instruction.args) {
    const given = valueIn(buildArgs, arg.key);
    build.tell('name', { keyword: 'ARG', key: arg.key });
    const value = given ?? (arg.value === undefined ? globalArgs.get(arg.key) : build.expand(arg.value));
    if (value !== undefined && !NO_VARIABLES.has(arg.key)) build.env = build.env.with(arg.key, value);
    const inherited = given === undefined && arg.value === undefined && value !== undefined;
    build.tell('arg', { stage: build.stage, arg, value, inherited, range: build.range });
    build.buildArgs = [...build.buildArgs, { key: arg.key, value }];
    shown.push(value === undefined ? arg.key : `${arg.key}=${value}`);
  }
  build.record(`ARG ${shown.join(' ')}`);
}
