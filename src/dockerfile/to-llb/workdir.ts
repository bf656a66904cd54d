import type { WorkdirInstruction } from '../instructions/workdir.js';
import { actionPath, pathIn } from '../paths.js';
import { FileOpBuilder } from './file-op.js';
import { ownerOf } from './owner.js';
import type { StageBuild } from './stage-build.js';

/** Sets the working directory, without making it: what a base image's config asks for. */
export function setWorkdir(build: StageBuild, path: string): void {
  const windows = build.platform.os === 'windows';
  const slashed = (text: string): string => (windows ? text.replaceAll('\\', '/') : text);
  build.dir = pathIn(slashed(build.image.config.WorkingDir ?? ''), slashed(path), false);
  build.image.config.WorkingDir = windows ? build.dir.replaceAll('/', '\\') : build.dir;
}

export function applyWorkdir(build: StageBuild, instruction: WorkdirInstruction): void {
  const path = build.expand(instruction.path);
  build.tell('workdir', { path, first: !build.workdirSet, os: build.platform.os });
  build.workdirSet = true;
  setWorkdir(build, path);
  const { dir, conversion, image } = build;
  if (dir !== '/') {
    const { User: user } = image.config;
    const action = {
      type: 'mkdir',
      path: actionPath(dir, false),
      mode: 0o755,
      makeParents: true,
      ...(user && { owner: ownerOf(user) }),
      ...(conversion.epoch !== undefined && { timestamp: `${conversion.epoch}000000000` }),
    } as const;
    const name = build.nextStep(build.shownText(instruction.original));
    const { ignoreCache: _, ...options } = build.vertexOptions(name, instruction.range);
    build.edge = new FileOpBuilder(build.edge).add(action).build(build.platform, options);
  }
  build.record(`WORKDIR ${dir}`, dir !== '/');
}
