import { chmodSync, existsSync, mkdtempSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { fileSystemType } from '../../base/linux/statfs.js';
import { removeTree } from '../../base/remove-tree.js';
import { findProgram, findRuntime } from '../../executor/runtime.js';
import type { TreeKind } from '../worker-kind.js';
import { readUsernsSwitches, USERNS_SWITCHES, type UsernsSwitch } from './kernel-switches.js';
import type { Obstacle, RefusedTrees, RungReport } from './ladder.js';
import { workerLaunch, type NamespaceRung, type WorkerLaunch } from './launch.js';
import { findPrograms } from './programs.js';
import { treeKinds } from './snapshotter.js';
import { startLaunch } from './start-launch.js';

export interface NamespaceProbeOptions extends Cancel {
  readonly env: NodeJS.ProcessEnv;
}

/** How the ids of a rung are told of in a reason. */
const IDS: Readonly<Record<NamespaceRung, string>> = {
  root: 'as root',
  userns: 'in a user namespace with subordinate ids',
  'userns-single': 'in a user namespace with one id',
};

/**
 * Tries a rung by doing on `dir` (where trees will lie) what its worker does: a short-lived child in new namespaces
 * mounts there in the best way that works, and changes what it mounted. One process start, whatever does not work.
 */
export async function probeNamespaces(
  rung: NamespaceRung,
  dir: string,
  { signal, env }: NamespaceProbeOptions,
): Promise<RungReport> {
  const no = (obstacle: Obstacle, reason: string, more: Pick<RungReport, 'hint' | 'refused'> = {}): RungReport => ({
    name: rung,
    available: false,
    obstacle,
    reason,
    ...more,
  });
  const kinds = treeKinds(env);
  if (rung === 'root' && process.getuid?.() !== 0) return no('user', 'not running as root');
  const programs = findPrograms(rung, env);
  if ('reason' in programs) return no('programs', programs.reason, { hint: programs.hint });
  let obstacle: Obstacle = 'runtime';
  try {
    const runtime = findRuntime(env);
    obstacle = 'ids';
    const on = fileSystemType(fromText(dir));
    const found = await tryTrees(rung, workerLaunch(rung, programs), kinds, dir, { signal, env });
    const { refused } = found;
    const told = refused.length === 0 ? {} : { refused };
    if (found.obstacle) return no(found.obstacle, found.reason, { ...(found.hint && { hint: found.hint }), ...told });
    const why = refused.map(({ trees }) => inWords(trees, on)).join(', ');
    const reason = `${TITLES[found.trees]} on ${on} ${IDS[rung]}, ${runtime.name}${why && `; ${why}`}`;
    return { name: rung, available: true, trees: found.trees, reason, ...told };
  } catch (error) {
    if (error instanceof BuildError) return no(obstacle, error.message, error.hint ? { hint: error.hint } : {});
    throw error;
  }
}

const TITLES: Readonly<Record<TreeKind, string>> = {
  overlay: 'overlayfs',
  fuse: '`fuse-overlayfs`',
  plain: 'plain copies',
};

function inWords(refused: TreeKind, fileSystem: string): string {
  return refused === 'overlay' ? `overlayfs cannot be mounted on ${fileSystem}` : `${TITLES[refused]} does not work`;
}

/**
 * Says each step before it is done, so that the last one said is the one that failed. Arguments: where, what options an
 * overlay gets, whether other ids are wanted, the program fuse-overlayfs, and the kinds of trees to try.
 */
const SCRIPT = `set -e
say() { echo "step:$1"; }
cd "$1"; top=$1 options=$2 ids=$3 fuse=$4; shift 4
trap 'cd "$top"; umount m 2>/dev/null || :; rm -rf "$top"/*' EXIT
change() { rm -r m/d && mkdir m/d && touch m/d/f && umount m; }
say ids; mkdir l l/d l/e m; [ -z "$ids" ] || chown 1:1 l/e
say trees
for kind; do
  mkdir u w
  case $kind in
    overlay) mount -t overlay overlay -o "lowerdir=l,upperdir=u,workdir=w$options" m 2>said && change 2>said && break ;;
    fuse) "$fuse" -o lowerdir=l,upperdir=u,workdir=w m 2>said && change 2>said && break ;;
    plain) break ;;
  esac
  echo "refused:$kind:$(head -n 1 said)"
  umount m 2>/dev/null || :
  rm -rf u w; kind=
done
[ -n "$kind" ] || exit 1
echo "trees:$kind"
say mounts; mount -t tmpfs tmpfs l/e; umount l/e
say done
`;

/** Before what mount(8) says: itself, and where. */
const PLACE = /^\s*mount: \S+: /;

type Tried = { readonly refused: readonly RefusedTrees[] } & (
  | { readonly obstacle?: undefined; readonly trees: TreeKind }
  | { readonly obstacle: Obstacle; readonly reason: string; readonly hint?: string }
);

async function tryTrees(
  rung: NamespaceRung,
  launch: WorkerLaunch,
  kinds: readonly TreeKind[],
  dir: string,
  { signal, env }: NamespaceProbeOptions,
): Promise<Tried> {
  const place = mkdtempSync(path.join(dir, '.probe-'));
  try {
    const fuse = findProgram('fuse-overlayfs', env);
    const given = [
      rung === 'root' ? '' : ',userxattr',
      rung === 'userns-single' ? '' : 'yes',
      fuse ?? 'fuse-overlayfs',
      ...kinds,
    ];
    const { how, stdout, stderr } = await run(launch, ['sh', '-c', SCRIPT, 'sh', place, ...given], { signal, env });
    signal.throwIfAborted();
    const said = (mark: string): readonly string[] =>
      stdout.split('\n').flatMap((line) => (line.startsWith(mark) ? [line.slice(mark.length)] : []));
    const refused = said('refused:').map((line) => {
      const [trees = '', ...reason] = line.split(':');
      return { trees: trees as TreeKind, reason: reason.join(':').replace(PLACE, '').trim() };
    });
    const trees = said('trees:')[0] as TreeKind | undefined;
    if (how === 'code 0' && trees !== undefined) return { refused, trees };
    const last = stderr.trim().split('\n').at(-1) ?? '';
    return { refused, ...explain(said('step:').at(-1), last === '' ? `it ended with ${how}` : last, refused) };
  } finally {
    removeTrial(place);
  }
}

/** A trial that was killed leaves the work directory of its overlay, which the kernel closes even to its owner. */
function removeTrial(place: string): void {
  const closed = path.join(place, 'w', 'work');
  if (existsSync(closed)) chmodSync(closed, 0o700);
  removeTree(place);
}

function explain(
  step: string | undefined,
  said: string,
  refused: readonly RefusedTrees[],
): { readonly obstacle: Obstacle; readonly reason: string; readonly hint?: string } {
  switch (step) {
    case undefined:
      return said.includes('/proc')
        ? { obstacle: 'proc', reason: `no /proc of its own: ${said}` }
        : { obstacle: 'namespaces', reason: `no new namespaces: ${said}`, hint: hintForNamespaces() };
    case 'ids':
      return { obstacle: 'ids', reason: `files cannot be given to other users: ${said}` };
    case 'trees':
      return {
        obstacle: 'trees',
        reason: `${refused.map(({ trees, reason }) => `${TITLES[trees]} cannot be mounted here: ${reason}`).join('; ') || said}`,
        hint:
          'put the store on a local file system such as ext4, xfs, btrfs or tmpfs (`--root`), Linux 5.11 or later, or ' +
          'allow plain copies (SLIPWAY_SNAPSHOTTER=auto)',
      };
    default:
      return { obstacle: 'mounts', reason: `file systems cannot be mounted: ${said}` };
  }
}

function hintForNamespaces(): string {
  const switches = readUsernsSwitches();
  for (const [name, forbids] of Object.entries(USERNS_SWITCHES)) {
    if (switches[name as UsernsSwitch] !== forbids) continue;
    const wanted = forbids === '1' ? '0' : name.startsWith('user.') ? '28633' : '1';
    return `\`${name}\` is ${forbids}; as root: \`sysctl -w ${name}=${wanted}\``;
  }
  return 'in a container, this needs seccomp and AppArmor profiles that allow unshare and mount';
}

interface Ended {
  /** `code N`, the name of a signal, or why it could not start. */
  readonly how: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Throws ISOLATION_UNAVAILABLE where the process cannot get its ids. */
async function run(
  launch: WorkerLaunch,
  command: readonly string[],
  { signal, env }: NamespaceProbeOptions,
): Promise<Ended> {
  const { child, mapped } = startLaunch(launch, command, {
    signal,
    stdio: ['ignore', 'pipe', 'pipe', 'ignore'],
    env: { ...env, LC_ALL: 'C' },
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('close', (code, killedBy) => resolve(killedBy ?? `code ${code}`));
  });
  let how: string;
  try {
    await mapped;
  } finally {
    how = await ended;
    signal.removeEventListener('abort', stop);
  }
  return { how, stdout, stderr };
}
