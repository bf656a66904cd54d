import { describe, expect, test } from 'vitest';
import { FINDINGS, findingsOf, type FindingCode } from './findings.js';
import type { Obstacle, RungReport } from './ladder.js';
import { readMachineFacts, type MachineFacts } from './machine-facts.js';

/** An ordinary user on an ordinary machine, where everything is as it should be. */
const usual: MachineFacts = {
  kernel: '6.8.0',
  user: { uid: 1000, name: 'ann' },
  node: '/usr/bin/node',
  container: undefined,
  ci: undefined,
  switches: { 'user.max_user_namespaces': '63000' },
  seccomp: false,
  noNewPrivileges: false,
  capabilities: [],
  bounding: ['CHOWN', 'SETGID', 'SETUID', 'SYS_CHROOT', 'SYS_ADMIN', 'MKNOD'],
  apparmor: undefined,
  isNested: false,
  maskedProc: [],
  idPrograms: [
    { name: 'newuidmap', file: '/usr/bin/newuidmap', hasRights: true, isNosuid: false },
    { name: 'newgidmap', file: '/usr/bin/newgidmap', hasRights: true, isNosuid: false },
  ],
  subordinateIds: { uids: 65536, gids: 65536, free: 165536 },
  fuse: { program: true, device: 'usable' },
  store: { root: '/home/ann/.local/share/slipway', fileSystem: 'ext' },
};
const inDocker = {
  container: 'docker',
  seccomp: true,
  apparmor: 'docker-default',
  maskedProc: ['/proc/kcore'],
} as const;
const asRoot = { user: { uid: 0, name: 'root' }, capabilities: ['CHOWN', 'SETGID', 'SETUID', 'SYS_CHROOT'] } as const;

const no = (name: RungReport['name'], obstacle: Obstacle, more: Partial<RungReport> = {}): RungReport => ({
  name,
  available: false,
  obstacle,
  reason: `about ${name}`,
  ...more,
});
const yes = (name: RungReport['name'], more: Partial<RungReport> = {}): RungReport => ({
  name,
  available: true,
  trees: 'overlay',
  reason: 'it works',
  ...more,
});

interface Case {
  readonly name: string;
  readonly rungs: readonly RungReport[];
  readonly facts: Partial<MachineFacts>;
  /** The codes, and what some remedy must say. */
  readonly found: readonly (readonly [FindingCode, RegExp | undefined])[];
}

const cases: readonly Case[] = [
  {
    name: 'Ubuntu 24.04',
    rungs: [no('root', 'user'), no('userns', 'namespaces'), no('userns-single', 'namespaces')],
    facts: { switches: { 'kernel.apparmor_restrict_unprivileged_userns': '1' }, node: '/opt/node/bin/node' },
    found: [['apparmor-userns', /profile slipway \/opt\/node\/bin\/node flags=\(unconfined\) \{\n {2}userns,\n/]],
  },
  {
    name: 'RHEL 7, Bottlerocket',
    rungs: [no('userns', 'namespaces')],
    facts: { switches: { 'user.max_user_namespaces': '0' } },
    found: [['userns-max', /sysctl -w user.max_user_namespaces=28633/]],
  },
  {
    name: 'an older Debian',
    rungs: [no('userns', 'namespaces')],
    facts: { switches: { 'kernel.unprivileged_userns_clone': '0' } },
    found: [['userns-clone', /sysctl -w kernel.unprivileged_userns_clone=1/]],
  },
  {
    name: 'a user without ids, and without the programs for them',
    rungs: [no('root', 'user'), no('userns', 'programs'), yes('userns-single')],
    facts: {
      idPrograms: usual.idPrograms.map(({ name }) => ({ name, hasRights: false, isNosuid: false })),
      subordinateIds: { uids: 0, gids: 65536, free: 231072 },
    },
    found: [
      ['id-programs', /apt-get install uidmap/],
      ['subordinate-ids', /usermod --add-subuids 231072-296607 --add-subgids 231072-296607 ann/],
    ],
  },
  {
    name: 'programs that have lost their rights, on a file system that takes them',
    rungs: [no('userns', 'ids')],
    facts: { idPrograms: usual.idPrograms.map((one) => ({ ...one, hasRights: false, isNosuid: true })) },
    found: [
      ['id-programs-nosuid', undefined],
      ['id-programs-rights', /chmod u\+s \/usr\/bin\/newuidmap\nchmod u\+s \/usr\/bin\/newgidmap/],
    ],
  },
  {
    name: 'no new privileges, in Kubernetes',
    rungs: [no('userns', 'ids')],
    facts: { noNewPrivileges: true, container: 'kubernetes' },
    found: [['no-new-privileges', /allowPrivilegeEscalation: true/]],
  },
  {
    name: 'a container without SETUID',
    rungs: [no('userns', 'ids')],
    facts: { bounding: ['SETGID'], container: 'docker' },
    found: [['setuid-capability', /--cap-add SETUID --cap-add SETGID/]],
  },
  {
    name: 'ids that the outer user namespace does not have',
    rungs: [no('userns', 'ids')],
    facts: { isNested: true },
    found: [['nested-ids', undefined]],
  },
  {
    name: 'root of a user namespace with one id',
    rungs: [no('root', 'ids'), no('userns', 'user')],
    facts: { ...asRoot, isNested: true },
    found: [['nested-ids', undefined]],
  },
  {
    name: 'root that may give no files away',
    rungs: [no('root', 'ids')],
    facts: { ...asRoot, capabilities: ['SYS_ADMIN'] },
    found: [['capabilities', /--cap-add CHOWN/]],
  },
  {
    name: 'root of a user namespace with many ids',
    rungs: [yes('root', { trees: 'plain', refused: [{ trees: 'overlay', reason: 'Input/output error' }] })],
    facts: { ...asRoot, isNested: true, fuse: { program: false, device: 'absent' } },
    found: [['nested-overlay', undefined]],
  },
  {
    name: 'a default container of Docker',
    rungs: [no('root', 'namespaces'), no('userns', 'namespaces'), yes('chroot', { trees: 'plain' })],
    facts: { ...inDocker, ...asRoot },
    found: [
      ['sys-admin', /--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=/],
      ['seccomp', undefined],
      ['apparmor-profile', undefined],
    ],
  },
  {
    name: 'a pod of Kubernetes',
    rungs: [no('root', 'namespaces')],
    facts: { ...inDocker, ...asRoot, apparmor: undefined, container: 'kubernetes', ci: 'gitlab' },
    found: [
      ['sys-admin', /hostUsers: false\n.*\n.*\n +securityContext:\n +procMount: Unmasked/],
      ['seccomp', /seccompProfile: \{ type: Unconfined \}/],
    ],
  },
  {
    name: 'a job of a GitLab runner',
    rungs: [no('userns', 'namespaces')],
    facts: { ...inDocker, apparmor: undefined, ci: 'gitlab' },
    found: [['seccomp', /\[runners.docker\]\n {2}privileged = true/]],
  },
  {
    name: 'a container that allows namespaces and hides parts of /proc',
    rungs: [no('userns', 'proc')],
    facts: { container: 'podman', maskedProc: ['/proc/kcore'] },
    found: [['proc-masked', /--security-opt unmask=ALL/]],
  },
  {
    name: 'a profile that forbids mounts',
    rungs: [no('userns', 'mounts')],
    facts: { apparmor: 'docker-default', container: 'docker' },
    found: [['apparmor-profile', /apparmor=unconfined/]],
  },
  {
    name: 'programs that every distribution has',
    rungs: [no('root', 'programs'), no('userns', 'runtime')],
    facts: {},
    found: [
      ['util-linux', /apt-get install util-linux/],
      ['runtime', /apt-get install crun/],
    ],
  },
  {
    name: "a store in a container's own file system",
    rungs: [
      no('root', 'trees', { refused: [{ trees: 'overlay', reason: 'wrong fs type' }] }),
      yes('userns', { trees: 'plain', refused: [{ trees: 'overlay', reason: 'wrong fs type' }] }),
    ],
    facts: { container: 'docker', fuse: { program: false, device: 'absent' } },
    found: [['overlay-store', /docker run --volume slipway:/]],
  },
  {
    name: 'a fuse-overlayfs that is asked for and not there',
    rungs: [no('userns', 'trees', { refused: [{ trees: 'fuse', reason: '' }] })],
    facts: { fuse: { program: false, device: 'usable' } },
    found: [['fuse-overlayfs', /apt-get install fuse-overlayfs/]],
  },
  {
    name: '/dev/fuse that is not for users',
    rungs: [no('userns', 'trees', { refused: [{ trees: 'fuse', reason: '' }] })],
    facts: { fuse: { program: true, device: 'closed' } },
    found: [['fuse-device', /chmod 666 \/dev\/fuse/]],
  },
  {
    name: 'overlayfs replaced by the next best',
    rungs: [yes('userns', { trees: 'plain', refused: [{ trees: 'overlay', reason: '' }] })],
    facts: {},
    found: [['overlay-store', /SLIPWAY_ROOT=/]],
  },
  {
    name: 'a container of Docker without capabilities',
    rungs: [no('chroot', 'capabilities')],
    facts: { ...inDocker, apparmor: undefined },
    found: [['capabilities', /--cap-add SETPCAP --cap-add SYS_CHROOT/]],
  },
  {
    name: 'a restricted pod',
    rungs: [no('root', 'user'), no('chroot', 'user')],
    facts: { container: 'kubernetes' },
    found: [['container-user', /runAsUser: 0/]],
  },
  {
    name: 'a filter that forbids chroot',
    rungs: [no('chroot', 'chroot')],
    facts: { seccomp: true },
    found: [['seccomp', undefined]],
  },
  {
    name: 'something else',
    rungs: [no('userns', 'namespaces')],
    facts: {},
    found: [['unknown', undefined]],
  },
];

test.each(cases)('$name', ({ rungs, facts, found }) => {
  const findings = findingsOf({ rungs }, { ...usual, ...facts });
  expect(findings.map(({ code }) => code)).toEqual(found.map(([code]) => code));
  for (const [i, [, said]] of found.entries()) {
    if (said) expect(findings[i]!.remedies.map(({ text }) => text).join('\n')).toMatch(said);
  }
});

test('every finding has a case here', () => {
  const tried = new Set(cases.flatMap(({ found }) => found.map(([code]) => code)));
  expect(Object.keys(FINDINGS).filter((code) => !tried.has(code as FindingCode))).toEqual([]);
});

describe('what is explained', () => {
  const rungs = [no('root', 'user'), no('userns', 'programs'), yes('userns-single'), no('chroot', 'mounts')];
  const facts = { ...usual, apparmor: 'docker-default', subordinateIds: { uids: 0, gids: 0, free: 100_000 } };

  test('rungs above the chosen one', () => {
    expect(findingsOf({ rungs }, facts).map(({ code, rungs }) => [code, rungs])).toEqual([
      ['subordinate-ids', ['userns']],
    ]);
  });

  test('the one that was asked for', () => {
    expect(findingsOf({ rungs }, facts, 'chroot').map(({ code }) => code)).toEqual(['apparmor-profile']);
  });

  test('one finding for all rungs that it concerns, with what an unknown one met', () => {
    const both = [no('userns', 'namespaces'), no('userns-single', 'namespaces')];
    expect(findingsOf({ rungs: both }, { ...usual, seccomp: true })).toMatchObject([
      { code: 'seccomp', rungs: ['userns', 'userns-single'] },
    ]);
    expect(findingsOf({ rungs: both }, usual)[0]?.what).toContain('about userns');
  });
});

test('this machine has facts, which are plain data', () => {
  const facts = readMachineFacts('/tmp', process.env);
  expect(JSON.parse(JSON.stringify(facts))).toMatchObject({ store: { root: '/tmp' }, switches: facts.switches });
  expect(facts.user.uid).toBe(process.getuid?.());
  expect(facts.subordinateIds.free).toBeGreaterThanOrEqual(100_000);
  expect(readMachineFacts('/tmp', { KUBERNETES_SERVICE_HOST: '10.0.0.1', GITLAB_CI: 'true' })).toMatchObject({
    container: 'kubernetes',
    ci: 'gitlab',
  });
});
