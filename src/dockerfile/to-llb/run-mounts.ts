import { posix } from 'node:path';
import type { Edge, ExecMount } from '../../llb/types.js';
import { Fault } from '../diagnostic.js';
import { quote } from '../go-text.js';
import { parseMount, type Mount } from '../instructions/mount.js';
import type { RunInstruction } from '../instructions/run.js';
import { cleanPath, joinPath } from '../paths.js';
import { FileOpBuilder } from './file-op.js';
import type { PlannedStage } from './planned-stage.js';
import { copyOfLocal } from './sources.js';
import { SCRATCH } from './stage-plan.js';
import type { StageBuild } from './stage-build.js';

interface Placed {
  /** undefined: an empty file system. */
  readonly source: Edge | undefined;
  readonly mount: Omit<ExecMount, 'input'>;
}

export interface RunMounts {
  /** bind, cache and tmpfs. */
  readonly binds: Placed[];
  /** Secrets and ssh agents, in order. A secret that is only a variable has the destination ''. */
  readonly others: readonly Placed[];
  /** Variables that hold secrets. */
  readonly secretNames: readonly string[];
  /** Socket of the first ssh agent. */
  readonly ssh: string | undefined;
}

/** The mounts of a RUN with their variables filled in. Throws a Fault. */
export function mountsOf(build: StageBuild, instruction: RunInstruction, sources: readonly PlannedStage[]): RunMounts {
  const binds: Placed[] = [];
  const others: Placed[] = [];
  const secretNames: string[] = [];
  const sockets: string[] = [];
  const secrets: Placed[] = [];
  const mounts = instruction.mounts.map(({ text }) => parseMount(text, build.expand));
  for (const [i, mount] of mounts.entries()) {
    build.tell('mount', { stage: build.stage, mount, range: instruction.range });
    if (mount.type === 'secret') {
      secrets.push(...secretMounts(mount));
      if (mount.env !== undefined) secretNames.push(mount.env);
    } else if (mount.type === 'ssh') {
      const placed = sshMount(mount, sockets.length);
      sockets.push(placed.mount.dest);
      others.push(placed);
    } else {
      binds.push(fileSystemMount(build, mount, instruction, sources[i]!));
    }
  }
  return { binds, others: [...secrets, ...others], secretNames, ssh: sockets[0] };
}

function fileSystemMount(build: StageBuild, mount: Mount, instruction: RunInstruction, stage: PlannedStage): Placed {
  const { conversion } = build;
  const from = mount.from === '' && mount.type === 'cache' ? SCRATCH : mount.from;
  const other = from === '' ? undefined : conversion.builds.get(stage);
  if (from !== '' && other === undefined) {
    throw new Fault(
      'stage-order',
      `cannot mount from stage "${from}" to "${mount.target}", stage needs to be defined before current command`,
    );
  }
  const target = cleanPath(mount.target).startsWith('/') ? mount.target : joinPath('/', build.dir, mount.target);
  if (target === '/') throw new Fault('mount', `invalid mount target ${quote(target)}`, 'give the mount a `target=`');
  const path = joinPath('/', mount.source);
  (other === undefined ? conversion.contextPaths : other.paths).add(path);
  const owned = mount.uid !== undefined || mount.gid !== undefined || mount.mode !== undefined;
  const origin = mount.type === 'tmpfs' ? undefined : other === undefined ? conversion.context : other.edge;
  let source = origin && copyOfLocal(origin, build.platform, path);
  let selector = path === '/' ? undefined : path;
  if (selector === undefined && owned) {
    source = ownedDirectory(build, mount, source, instruction);
    selector = '/cache';
  }
  return {
    source,
    mount: {
      ...(selector !== undefined && { selector }),
      dest: target,
      output: -1,
      readonly: mount.readonly,
      mount: kindOf(mount, conversion.buildArgs['BUILDKIT_CACHE_MOUNT_NS'] ?? ''),
    },
  };
}

function kindOf(mount: Mount, cacheNamespace: string): ExecMount['mount'] {
  if (mount.type === 'tmpfs') return { type: 'tmpfs', size: mount.size };
  if (mount.type !== 'cache') return { type: 'bind' };
  const id = mount.id === '' ? cleanPath(mount.target) : mount.id;
  return { type: 'cache', id: `${cacheNamespace}/${id}`, sharing: mount.sharing ?? 'shared' };
}

/** A cache that is to belong to someone starts from a directory that does. */
function ownedDirectory(build: StageBuild, mount: Mount, base: Edge | undefined, instruction: RunInstruction): Edge {
  const action = {
    type: 'mkdir',
    path: '/cache',
    mode: (mount.mode ?? 0o755) & 0o777,
    makeParents: false,
    owner: { user: { id: mount.uid ?? 0 }, group: { id: mount.gid ?? 0 } },
  } as const;
  const { ignoreCache: _, ...options } = build.vertexOptions(
    '[internal] setting cache mount permissions',
    instruction.range,
  );
  return new FileOpBuilder(base).add(action).build(build.platform, options);
}

/** A file, a variable, or both. */
function secretMounts(mount: Mount): readonly Placed[] {
  let id = mount.source === '' ? mount.id : mount.source;
  if (id === '') id = posix.basename(mount.target);
  const secret = {
    type: 'secret',
    id,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
    mode: mount.mode ?? 0o400,
    optional: !mount.required,
  } as const;
  const placed: Placed[] = [];
  if (mount.env !== undefined) {
    const variable = { dest: '', output: -1, readonly: false, mount: { ...secret, env: mount.env } };
    placed.push({ source: undefined, mount: variable });
  }
  if (mount.target !== '' || mount.env === undefined) {
    const dest = mount.target === '' ? `/run/secrets/${posix.basename(id)}` : mount.target;
    placed.push({ source: undefined, mount: { dest, output: -1, readonly: false, mount: secret } });
  }
  return placed;
}

function sshMount(mount: Mount, index: number): Placed {
  if (mount.source !== '') throw new Fault('mount', 'ssh does not support source');
  const agent = {
    type: 'ssh',
    id: mount.id,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
    mode: mount.mode ?? 0o600,
    optional: !mount.required,
  } as const;
  const dest = mount.target === '' ? `/run/buildkit/ssh_agent.${index}` : mount.target;
  return { source: undefined, mount: { dest, output: -1, readonly: false, mount: agent } };
}
