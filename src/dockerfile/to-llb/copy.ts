import { Fault } from '../diagnostic.js';
import type { CopyInstruction } from '../instructions/copy.js';
import { copyInto, expandCopy, sourcePaths, tellContextPaths } from './copy-op.js';
import type { PlannedStage } from './planned-stage.js';
import { isRemote } from './remote-source.js';
import type { StageBuild } from './stage-build.js';

export function applyCopy(build: StageBuild, instruction: CopyInstruction, source: PlannedStage | undefined): void {
  const expanded = expandCopy(build, instruction);
  const { conversion } = build;
  const from = source && conversion.builds.get(source);
  if (source !== undefined && from === undefined) {
    throw new Fault(
      'stage-order',
      `cannot copy from stage "${instruction.from}", it needs to be defined before current stage "${build.stage.shown}"`,
    );
  }
  for (const path of expanded.sources) {
    const remote = isRemote(path);
    if (remote === 'git') throw new Fault('copy-source', "source can't be a git ref for COPY", 'ADD can fetch it');
    if (remote === 'http') throw new Fault('copy-source', "source can't be a URL for COPY", 'ADD can fetch it');
  }
  if (from === undefined) tellContextPaths(build, 'copy', expanded.sources);
  copyInto(build, {
    instruction,
    ...expanded,
    parents: instruction.parents,
    unpack: false,
    from: from === undefined ? conversion.context : from.edge,
  });
  const read = from === undefined ? conversion.contextPaths : from.paths;
  for (const path of sourcePaths(expanded.sources)) read.add(path);
}
