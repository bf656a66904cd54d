import { unreachable } from '../../base/errors.js';
import type { FindingCode, Remedy } from './findings.js';
import type { MachineFacts } from './machine-facts.js';

/** What can be done about a finding on this machine, best first. Texts are commands for a shell, or files to be pasted. */
export function forFinding(code: FindingCode, facts: MachineFacts): readonly Remedy[] {
  switch (code) {
    case 'apparmor-userns':
      return [apparmorProfile(facts), forAllPrograms('kernel.apparmor_restrict_unprivileged_userns', 0)];
    case 'userns-max':
      return [forAllPrograms('user.max_user_namespaces', 28633)];
    case 'userns-clone':
      return [forAllPrograms('kernel.unprivileged_userns_clone', 1)];
    case 'seccomp':
    case 'apparmor-profile':
    case 'proc-masked':
    case 'sys-admin':
      return openContainer(facts);
    case 'id-programs':
      return [install('uidmap', 'shadow-utils')];
    case 'id-programs-rights':
      return [{ how: 'as root, give them back what their package gave them', text: rights(facts) }];
    case 'id-programs-nosuid':
      return [{ how: 'mount the file system that they lie on without `nosuid`, or install them on another one' }];
    case 'no-new-privileges':
      return [allowNewPrivileges(facts)];
    case 'setuid-capability':
      return [giveSetuid(facts)];
    case 'subordinate-ids':
      return [subordinateIds(facts)];
    case 'nested-ids':
      return [
        { how: 'give the outer user namespace 65,536 ids more than those that this one hands on, or build outside it' },
      ];
    case 'container-user':
      return [runAsRoot(facts)];
    case 'capabilities':
      return [defaultCapabilities(facts)];
    case 'util-linux':
      return [install('util-linux', 'util-linux')];
    case 'runtime':
      return [install('crun', 'crun')];
    case 'overlay-store':
      return [overlayStore(facts)];
    case 'fuse-overlayfs':
      return [install('fuse-overlayfs', 'fuse-overlayfs')];
    case 'fuse-device':
      return [fuseDevice(facts)];
    case 'nested-overlay':
    case 'unknown':
      return [];
    default:
      return unreachable(code);
  }
}

/** A profile of its own keeps the restriction for everything else. */
function apparmorProfile({ node }: MachineFacts): Remedy {
  const profile = [
    'abi <abi/4.0>,',
    'include <tunables/global>',
    '',
    `profile slipway ${node} flags=(unconfined) {`,
    '  userns,',
    '  include if exists <local/slipway>',
    '}',
  ];
  return {
    how: 'as root, allow it for programs that this Node.js starts, and for nothing else',
    text: [
      "cat > /etc/apparmor.d/slipway <<'EOF'",
      ...profile,
      'EOF',
      'apparmor_parser --replace /etc/apparmor.d/slipway',
    ].join('\n'),
  };
}

function forAllPrograms(name: string, value: number): Remedy {
  const file = '/etc/sysctl.d/90-slipway.conf';
  return {
    how: 'as root, on the machine itself: allow it for all programs, now and after a restart',
    text: `sysctl -w ${name}=${value}\necho '${name} = ${value}' >> ${file}`,
  };
}

function install(debian: string, fedora: string): Remedy {
  return {
    how: 'as root, install it',
    text: `apt-get install ${debian}   # Debian, Ubuntu\ndnf install ${fedora}   # Fedora, RHEL`,
  };
}

function rights({ idPrograms }: MachineFacts): string {
  return idPrograms.flatMap(({ file, hasRights }) => (file && !hasRights ? [`chmod u+s ${file}`] : [])).join('\n');
}

function subordinateIds({ user, subordinateIds: { free } }: MachineFacts): Remedy {
  const range = `${free}-${free + 65535}`;
  return {
    how: 'as root, give the user a range that nobody has',
    text: `usermod --add-subuids ${range} --add-subgids ${range} ${user.name}`,
  };
}

/** Everything that a container's defaults take from rung 1 and 2, since one alone leads to the next. */
function openContainer(facts: MachineFacts): readonly Remedy[] {
  if (facts.ci === 'gitlab' && facts.container !== 'kubernetes') return [gitlab];
  switch (facts.container) {
    case 'kubernetes':
      return [kubernetes];
    case 'podman':
      return [
        {
          how: 'start the container so that it may make namespaces and mounts of its own',
          text: 'podman run --security-opt seccomp=unconfined --security-opt unmask=ALL --device /dev/fuse …',
        },
      ];
    case 'docker':
    case 'other':
    case undefined:
      return [
        {
          how: 'start the container so that a user in it may make namespaces and mounts of its own',
          text: 'docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined …',
        },
      ];
    default:
      return unreachable(facts.container);
  }
}

const kubernetes: Remedy = {
  how: 'in the specification of the pod, whose cluster needs user namespaces for pods',
  text: [
    'spec:',
    '  hostUsers: false',
    '  containers:',
    '    - name: build',
    '      securityContext:',
    '        procMount: Unmasked',
    '        seccompProfile: { type: Unconfined }',
    '        appArmorProfile: { type: Unconfined }',
    '        capabilities: { add: [SYS_ADMIN] }',
  ].join('\n'),
};

/** `systempaths=unconfined` is an option of Docker's command line alone, so that a runner cannot pass it. */
const gitlab: Remedy = {
  how: 'in the `config.toml` of a runner of your own that runs only jobs which you trust, since this opens it as Docker in Docker does',
  text: ['[runners.docker]', '  privileged = true'].join('\n'),
};

function allowNewPrivileges({ container }: MachineFacts): Remedy {
  if (container === 'kubernetes') {
    return { how: 'in the `securityContext` of the container', text: 'allowPrivilegeEscalation: true' };
  }
  return {
    how: 'start this process without it: a container without `--security-opt no-new-privileges`, a service without `NoNewPrivileges=yes`',
  };
}

function giveSetuid({ container }: MachineFacts): Remedy {
  if (container === 'kubernetes') {
    return { how: 'in the `securityContext` of the container', text: 'capabilities: { add: [SETUID, SETGID] }' };
  }
  return { how: 'start the container with both', text: 'docker run --cap-add SETUID --cap-add SETGID …' };
}

function runAsRoot({ container }: MachineFacts): Remedy {
  if (container === 'kubernetes') {
    return {
      how: 'in the `securityContext` of the container, where the policy of the namespace allows it',
      text: 'runAsNonRoot: false\nrunAsUser: 0',
    };
  }
  return { how: 'start the container as its root, who is no root of the machine', text: 'docker run --user 0 …' };
}

/** Those of Docker's default set that the rung uses. */
const DEFAULTS = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'SYS_CHROOT'];

function defaultCapabilities({ container }: MachineFacts): Remedy {
  if (container === 'kubernetes') {
    return {
      how: 'in the `securityContext` of the container, leave out `drop`, or add what is needed',
      text: `capabilities:\n  drop: [ALL]\n  add: [${DEFAULTS.join(', ')}]`,
    };
  }
  const flags = DEFAULTS.map((name) => `--cap-add ${name}`).join(' ');
  return { how: 'start the container without `--cap-drop`, or with what is needed', text: `docker run ${flags} …` };
}

function overlayStore({ container, store }: MachineFacts): Remedy {
  if (container === 'kubernetes') {
    return {
      how: 'keep the store in a volume of the pod, and say so with `--root` or `SLIPWAY_ROOT`',
      text: ['volumes:', '  - name: slipway', '    emptyDir: {}'].join('\n'),
    };
  }
  if (container !== undefined) {
    return {
      how: 'keep the store in a volume, which lies on the file system of the machine',
      text: `docker run --volume slipway:${store.root} …`,
    };
  }
  return {
    how: 'keep the store on a local file system such as ext4, xfs, btrfs or tmpfs, with Linux 5.11 or later',
    text: 'export SLIPWAY_ROOT=/var/tmp/slipway',
  };
}

function fuseDevice({ container, fuse }: MachineFacts): Remedy {
  if (container === 'kubernetes') return { how: 'ask for /dev/fuse by a device plugin, or keep the store in a volume' };
  if (container !== undefined) return { how: 'give the container the device', text: 'docker run --device /dev/fuse …' };
  return fuse.device === 'absent'
    ? { how: 'as root, load the module', text: 'modprobe fuse' }
    : { how: 'as root, let users open it, as every distribution does', text: 'chmod 666 /dev/fuse' };
}
