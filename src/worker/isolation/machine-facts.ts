import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { release, userInfo } from 'node:os';
import { fromText } from '../../base/bytes.js';
import { fileSystemType } from '../../base/linux/statfs.js';
import { lgetxattr } from '../../base/linux/xattr.js';
import { isLinux } from '../../base/platform.js';
import { hasCode } from '../../base/errors.js';
import { findProgram } from '../../executor/runtime.js';
import { readKernelFile, readUsernsSwitches, type UsernsSwitch } from './kernel-switches.js';

/** Capabilities that make a difference here, by their bit. */
const CAPABILITIES = {
  CHOWN: 0n,
  SETGID: 6n,
  SETUID: 7n,
  SYS_CHROOT: 18n,
  SYS_ADMIN: 21n,
  MKNOD: 27n,
} as const;

export type Capability = keyof typeof CAPABILITIES;

/** newuidmap or newgidmap, by which a user gets subordinate ids. */
export interface IdProgram {
  readonly name: 'newuidmap' | 'newgidmap';
  /** Absent where it is not installed. */
  readonly file?: string;
  /** Whether it is setuid or has a file capability. */
  readonly hasRights: boolean;
  /** Whether its file system is mounted so that such rights do not count. */
  readonly isNosuid: boolean;
}

/** What is around this process that can keep it from a rung. Plain data, told by `slipway doctor --format json`. */
export interface MachineFacts {
  readonly kernel: string;
  readonly user: { readonly uid: number | undefined; readonly name: string };
  /** This Node.js. */
  readonly node: string;
  readonly container: 'docker' | 'podman' | 'kubernetes' | 'other' | undefined;
  readonly ci: 'github' | 'gitlab' | 'other' | undefined;
  readonly switches: Readonly<Partial<Record<UsernsSwitch, string>>>;
  /** Whether a seccomp filter is on. */
  readonly seccomp: boolean;
  readonly noNewPrivileges: boolean;
  /** Those of `CAPABILITIES` that this process has, and those that a program it starts can get. */
  readonly capabilities: readonly Capability[];
  readonly bounding: readonly Capability[];
  /** The AppArmor profile, where there is one that confines. */
  readonly apparmor: string | undefined;
  /** Whether this is a user namespace already, and no machine's own. */
  readonly isNested: boolean;
  /** Mount points on /proc, which hide what is there. */
  readonly maskedProc: readonly string[];
  readonly idPrograms: readonly IdProgram[];
  /** How many subordinate ids the user has, and from where on nobody has any. */
  readonly subordinateIds: { readonly uids: number; readonly gids: number; readonly free: number };
  readonly fuse: { readonly program: boolean; readonly device: 'usable' | 'closed' | 'absent' };
  readonly store: { readonly root: string; readonly fileSystem: string };
}

/** Looks around. `root`: the store's folder. */
export function readMachineFacts(root: string, env: NodeJS.ProcessEnv): MachineFacts {
  const status = readKernelFile('/proc/self/status') ?? '';
  const mounts = readMounts();
  const name = userName();
  return {
    kernel: release(),
    user: { uid: process.getuid?.(), name },
    node: realpathSync(process.execPath),
    container: containerOf(env, mounts),
    ci: env['GITLAB_CI'] ? 'gitlab' : env['GITHUB_ACTIONS'] ? 'github' : env['CI'] ? 'other' : undefined,
    switches: isLinux ? readUsernsSwitches() : {},
    seccomp: fieldOf(status, 'Seccomp') === '2',
    noNewPrivileges: fieldOf(status, 'NoNewPrivs') === '1',
    capabilities: capabilitiesOf(fieldOf(status, 'CapEff')),
    bounding: capabilitiesOf(fieldOf(status, 'CapBnd')),
    apparmor: confinementOf(readKernelFile('/proc/self/attr/current')),
    isNested: isNested(readKernelFile('/proc/self/uid_map')),
    maskedProc: mounts.map(({ point }) => point).filter((point) => point.startsWith('/proc/')),
    idPrograms: (['newuidmap', 'newgidmap'] as const).map((one) => idProgram(one, env, mounts)),
    subordinateIds: subordinateIds(name, readKernelFile('/etc/subuid') ?? '', readKernelFile('/etc/subgid') ?? ''),
    fuse: { program: findProgram('fuse-overlayfs', env) !== undefined, device: fuseDevice() },
    store: { root, fileSystem: fileSystemType(fromText(root)) },
  };
}

interface MountLine {
  readonly point: string;
  readonly options: readonly string[];
  readonly type: string;
}

function readMounts(): readonly MountLine[] {
  const text = readKernelFile('/proc/self/mountinfo') ?? '';
  return text.split('\n').flatMap((line) => {
    const [own = '', shared = ''] = line.split(' - ');
    const [, , , , point, options = ''] = own.split(' ');
    return point === undefined ? [] : [{ point, options: options.split(','), type: shared.split(' ')[0] ?? '' }];
  });
}

function containerOf(env: NodeJS.ProcessEnv, mounts: readonly MountLine[]): MachineFacts['container'] {
  if (env['KUBERNETES_SERVICE_HOST']) return 'kubernetes';
  if (statSync('/run/.containerenv', { throwIfNoEntry: false })) return 'podman';
  // An image that became a machine still has the file; a container also has its own /etc/hosts mounted.
  const isContainer = mounts.some(({ point }) => point === '/etc/hosts');
  if (isContainer && statSync('/.dockerenv', { throwIfNoEntry: false })) return 'docker';
  return mounts.findLast(({ point }) => point === '/')?.type === 'overlay' ? 'other' : undefined;
}

function fieldOf(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(status)?.[1];
}

function capabilitiesOf(hex = '0'): readonly Capability[] {
  const held = BigInt(`0x${hex}`);
  const names = Object.keys(CAPABILITIES) as Capability[];
  return names.filter((name) => (held >> CAPABILITIES[name]) & 1n);
}

/** The kernel says `docker-default (enforce)`; one that confines nothing is `unconfined`, or has that as its mode. */
function confinementOf(label: string | undefined): string | undefined {
  const [, profile, mode] = /^(.+?)(?: \((\w+)\))?$/.exec(label?.replaceAll('\0', '') ?? '') ?? [];
  return profile === undefined || profile === 'unconfined' || mode !== 'enforce' ? undefined : profile;
}

function isNested(uidMap: string | undefined): boolean {
  return uidMap !== undefined && uidMap.split(/\s+/).join(' ') !== '0 0 4294967295';
}

function idProgram(name: IdProgram['name'], env: NodeJS.ProcessEnv, mounts: readonly MountLine[]): IdProgram {
  const found = findProgram(name, env);
  if (found === undefined) return { name, hasRights: false, isNosuid: false };
  const file = realpathSync(found);
  const hasRights =
    (statSync(file).mode & 0o4000) !== 0 || lgetxattr(fromText(file), 'security.capability') !== undefined;
  const isAbove = ({ point }: MountLine): boolean => point === '/' || file.startsWith(`${point}/`);
  const mount = mounts
    .filter(isAbove)
    .toSorted((a, b) => a.point.length - b.point.length)
    .at(-1);
  return { name, file, hasRights, isNosuid: mount?.options.includes('nosuid') ?? false };
}

function subordinateIds(name: string, subuid: string, subgid: string): MachineFacts['subordinateIds'] {
  const owners = [name, String(process.getuid?.())];
  const ranges = (text: string): readonly { owner: string; first: number; count: number }[] =>
    text
      .split('\n')
      .map((line) => line.trim().split(':'))
      .filter((fields) => fields.length === 3 && !fields[0]!.startsWith('#'))
      .map(([owner = '', first, count]) => ({ owner, first: Number(first) || 0, count: Number(count) || 0 }));
  const sum = (text: string): number =>
    ranges(text).reduce((total, { owner, count }) => (owners.includes(owner) ? total + count : total), 0);
  const ends = [...ranges(subuid), ...ranges(subgid)].map(({ first, count }) => first + count);
  return { uids: sum(subuid), gids: sum(subgid), free: Math.max(100_000, ...ends) };
}

function fuseDevice(): MachineFacts['fuse']['device'] {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return 'usable';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'absent';
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return 'closed';
    throw error;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.()); // a uid that passwd does not have
  }
}
