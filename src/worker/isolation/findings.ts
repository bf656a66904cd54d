import { unreachable } from '../../base/errors.js';
import type { IsolationReport, Obstacle, RungName, RungReport } from './ladder.js';
import type { MachineFacts } from './machine-facts.js';
import * as remedies from './remedies.js';

/** Everything that can keep a machine from a rung, with what it is in words. `docs/isolation.md` lists them. */
export const FINDINGS = {
  'apparmor-userns':
    'AppArmor keeps unprivileged programs from user namespaces (`kernel.apparmor_restrict_unprivileged_userns`)',
  'userns-max': 'the kernel allows no user namespaces (`user.max_user_namespaces` is 0)',
  'userns-clone': 'only root may make user namespaces (`kernel.unprivileged_userns_clone` is 0)',
  seccomp: 'a seccomp filter keeps this process from new namespaces or mounts, as in a container with default settings',
  'apparmor-profile': 'an AppArmor profile keeps this process from mounts, as in a container with default settings',
  'sys-admin': 'this process is root without the capability SYS_ADMIN, as in a container with default settings',
  'proc-masked': 'parts of /proc are hidden, as in a container with default settings, so no fresh one can be mounted',
  'id-programs': '`newuidmap` or `newgidmap` is not installed',
  'id-programs-rights': '`newuidmap` or `newgidmap` is neither setuid nor has a file capability',
  'id-programs-nosuid': '`newuidmap` or `newgidmap` lies on a file system that is mounted `nosuid`',
  'no-new-privileges': 'this process may get no new privileges, so `newuidmap` has none',
  'setuid-capability': 'this container lacks the capability SETUID or SETGID, which `newuidmap` needs',
  'subordinate-ids': '/etc/subuid or /etc/subgid gives the user no ids',
  'nested-ids': 'this is a user namespace already, and has too few ids',
  'nested-overlay':
    'overlayfs does not take the marks of root in a user namespace, so that this root needs other trees',
  'container-user': 'this container runs as a user who is not root',
  capabilities: 'root lacks capabilities that containers have by default',
  'util-linux': '`unshare` or `setpriv` is not installed',
  runtime: 'no OCI runtime is installed',
  'overlay-store': 'overlayfs cannot be mounted on the file system of the store',
  'fuse-overlayfs': '`fuse-overlayfs` is asked for, and not installed',
  'fuse-device': '`fuse-overlayfs` is asked for, and /dev/fuse cannot be opened',
  unknown: 'the machine does not allow it, for a reason that was not recognised',
} as const;

export type FindingCode = keyof typeof FINDINGS;

/** A way out of a finding. */
export interface Remedy {
  /** What to do, and who may. */
  readonly how: string;
  /** To be pasted: a command, or a file of which `how` says where it goes. */
  readonly text?: string;
}

export interface Finding {
  readonly code: FindingCode;
  /** What was found, with what the machine said. */
  readonly what: string;
  /** The rungs that it keeps this machine from, or makes slower. */
  readonly rungs: readonly RungName[];
  /** Best first; any of them is enough for this finding. */
  readonly remedies: readonly Remedy[];
}

/**
 * What keeps this machine from rungs better than the chosen one, and from better trees on that. `wanted` is the rung that
 * was asked for, and then the only one that counts.
 */
export function findingsOf(
  report: Pick<IsolationReport, 'rungs'>,
  facts: MachineFacts,
  wanted?: RungName,
): readonly Finding[] {
  const found = new Map<string, Finding>();
  for (const rung of rungsToExplain(report, wanted)) {
    for (const code of codesOf(rung, facts)) {
      const before = found.get(code);
      const what = `${FINDINGS[code]}${code === 'unknown' ? `: ${rung.reason}` : ''}`;
      const rungs = [...(before?.rungs ?? []), rung.name];
      found.set(code, { code, what, rungs, remedies: remedies.forFinding(code, facts) });
    }
  }
  return [...found.values()];
}

function rungsToExplain(
  { rungs }: Pick<IsolationReport, 'rungs'>,
  wanted: RungName | undefined,
): readonly RungReport[] {
  if (wanted !== undefined) return rungs.filter(({ name }) => name === wanted);
  const chosen = rungs.findIndex(({ trees }) => trees !== undefined);
  return chosen < 0 ? rungs : rungs.slice(0, chosen + 1);
}

/** The causes of what a rung met, most telling first. */
function codesOf({ name, obstacle, refused = [] }: RungReport, facts: MachineFacts): readonly FindingCode[] {
  if (obstacle === undefined) return treeCauses(refused, facts, name);
  const found = obstacle === 'trees' ? some(treeCauses(refused, facts, name)) : causes(obstacle, facts, name);
  return found ?? ['unknown'];
}

function causes(
  obstacle: Exclude<Obstacle, 'trees'>,
  facts: MachineFacts,
  rung: RungName,
): readonly FindingCode[] | undefined {
  switch (obstacle) {
    case 'user': // on a machine nobody is told to be root
      return rung === 'chroot' && facts.container !== undefined ? ['container-user'] : [];
    case 'version':
      return [];
    case 'capabilities':
      return ['capabilities'];
    case 'runtime':
      return ['runtime'];
    case 'programs':
      return rung === 'userns' ? (idCauses(facts) ?? ['util-linux']) : ['util-linux'];
    case 'ids':
      return rung === 'root' ? rootIdCauses(facts) : idCauses(facts);
    case 'namespaces':
      return some([...(rung === 'root' ? rootCauses(facts) : switchCauses(facts)), ...confinement(facts)]);
    case 'proc':
      return facts.maskedProc.length > 0 ? ['proc-masked'] : undefined;
    case 'mounts':
    case 'chroot':
      return some(confinement(facts));
    default:
      return unreachable(obstacle);
  }
}

function switchCauses({ switches }: MachineFacts): readonly FindingCode[] {
  return [
    ...(switches['user.max_user_namespaces'] === '0' ? ['userns-max' as const] : []),
    ...(switches['kernel.unprivileged_userns_clone'] === '0' ? ['userns-clone' as const] : []),
    ...(switches['kernel.apparmor_restrict_unprivileged_userns'] === '1' ? ['apparmor-userns' as const] : []),
  ];
}

function rootCauses({ capabilities }: MachineFacts): readonly FindingCode[] {
  return capabilities.includes('SYS_ADMIN') ? [] : ['sys-admin'];
}

function rootIdCauses({ isNested, capabilities }: MachineFacts): readonly FindingCode[] | undefined {
  return isNested ? ['nested-ids'] : capabilities.includes('CHOWN') ? undefined : ['capabilities'];
}

function confinement({ seccomp, apparmor }: MachineFacts): readonly FindingCode[] {
  return [...(seccomp ? ['seccomp' as const] : []), ...(apparmor === undefined ? [] : ['apparmor-profile' as const])];
}

/** In the order in which a user would meet them. */
function idCauses(facts: MachineFacts): readonly FindingCode[] | undefined {
  const { idPrograms, subordinateIds, noNewPrivileges, bounding, isNested } = facts;
  const installed = idPrograms.filter(({ file }) => file !== undefined);
  return some([
    ...(installed.length < idPrograms.length ? ['id-programs' as const] : []),
    ...(subordinateIds.uids === 0 || subordinateIds.gids === 0 ? ['subordinate-ids' as const] : []),
    ...(noNewPrivileges ? ['no-new-privileges' as const] : []),
    ...(bounding.includes('SETUID') && bounding.includes('SETGID') ? [] : ['setuid-capability' as const]),
    ...(installed.some(({ isNosuid }) => isNosuid) ? ['id-programs-nosuid' as const] : []),
    ...(installed.some(({ hasRights }) => !hasRights) ? ['id-programs-rights' as const] : []),
    ...(isNested ? ['nested-ids' as const] : []),
  ]);
}

function treeCauses(
  refused: NonNullable<RungReport['refused']>,
  { fuse, isNested }: MachineFacts,
  rung: RungName,
): readonly FindingCode[] {
  return refused.flatMap(({ trees }): readonly FindingCode[] => {
    if (trees === 'overlay') return [rung === 'root' && isNested ? 'nested-overlay' : 'overlay-store'];
    if (trees === 'plain') return [];
    if (!fuse.program) return ['fuse-overlayfs'];
    return fuse.device === 'usable' ? [] : ['fuse-device'];
  });
}

function some(codes: readonly FindingCode[]): readonly FindingCode[] | undefined {
  return codes.length > 0 ? codes : undefined;
}
