import type { AddInstruction } from '../instructions/add.js';
import { checkChecksum, copyInto, expandCopy, sourcePaths, tellContextPaths } from './copy-op.js';
import { isRemote, remoteReads } from './remote-source.js';
import type { StageBuild } from './stage-build.js';

export function applyAdd(build: StageBuild, instruction: AddInstruction): void {
  const expanded = expandCopy(build, instruction);
  const checksum = build.expand(instruction.checksum);
  const kinds = expanded.sources.map(isRemote);
  checkChecksum(checksum, kinds);
  const { context, contextPaths, options } = build.conversion;
  const { keepGitDir, unpack, original, range } = instruction;
  // Named as the step that it is fetched for; what a server has is asked anew each time anyway.
  const { ignoreCache: _, ...vertex } = build.vertexOptions(build.followingStep(build.shownText(original)), range);
  const fetched = { checksum, keepGitDir, unpack, platform: options.buildPlatform, vertex };
  const remotes = remoteReads(expanded.sources, fetched);
  copyInto(build, { instruction, ...expanded, parents: false, unpack: unpack ?? true, from: context, remotes });
  const local = expanded.sources.filter((_source, i) => kinds[i] === undefined);
  tellContextPaths(build, 'add', local);
  for (const path of sourcePaths(local)) contextPaths.add(path);
}
