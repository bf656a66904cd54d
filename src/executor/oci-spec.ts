import { DEFAULT_CAPABILITIES } from './capabilities.js';
import { seccompProfile } from './seccomp.js';
import type { RunMount, RunSpec } from './types.js';

export interface SpecOptions {
  /** In one, what only the machine's root may mount is bound instead. */
  readonly userNamespace: UserNamespace;
  readonly seccomp: boolean;
  /** In the place of the machine's /dev/null. */
  readonly nullDevice?: string;
  /** Of the process that starts the runtime: what an insecure run gets. */
  readonly ownCapabilities: readonly string[];
  readonly arch: NodeJS.Architecture;
  /** Where the run's cwd leads inside the root, links followed. */
  readonly cwd: string;
  readonly resolvConf: string;
  readonly hosts: string;
  /** Modes of the directories that a tmpfs covers, by target; runtimes differ in what they make of them. */
  readonly tmpfsModes: ReadonlyMap<string, number>;
  /** `mount`, for a runtime that takes `nodev` off the root; see `nodevHook`. */
  readonly mountProgram?: string;
}

/** Whether the runtime runs in a user namespace, and whether that has other ids than 0. */
export type UserNamespace = 'none' | 'many-ids' | 'one-id';

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const HOSTNAME = 'buildkitsandbox';
const SHM_SIZE = 64 * 1024 * 1024;

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/**
 * The runtime's `config.json`. Devices are kept away without a device cgroup, which a process without cgroups of its own
 * cannot have: everything is mounted `nodev`, the root included (see `oci-runtime.ts`), and the harmless devices
 * are bound in one by one (in a user namespace runtimes do that themselves). Making other device nodes still
 * works, as in a layer they must; opening them does not.
 */
export function ociSpec(spec: RunSpec, opts: SpecOptions): object {
  const capabilities = spec.insecure ? opts.ownCapabilities : DEFAULT_CAPABILITIES;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: userOf(spec, opts),
      args: spec.args,
      env: spec.env,
      cwd: opts.cwd,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: (spec.ulimits ?? []).map(({ name, soft, hard }) => ({
        type: `RLIMIT_${name.toUpperCase()}`,
        soft: limit(soft),
        hard: limit(hard),
      })),
      noNewPrivileges: false,
    },
    root: { path: spec.rootfs, readonly: spec.readonlyRoot === true },
    hostname: spec.hostname ?? HOSTNAME,
    mounts: onceEach([...systemMounts(spec, opts), ...spec.mounts.map((one) => userMount(one, opts))]),
    ...(opts.mountProgram === undefined || spec.insecure
      ? {}
      : { hooks: { createContainer: [nodevHook(opts.mountProgram, spec)] } }),
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }, ...networkNamespace(spec)],
      maskedPaths: spec.insecure ? [] : MASKED_PATHS,
      readonlyPaths: spec.insecure ? [] : READONLY_PATHS,
      ...(opts.seccomp && !spec.insecure ? { seccomp: seccompProfile(opts.arch) } : {}),
    },
  };
}

/** A namespace with one id has no other groups, and none can be left. */
function userOf({ user }: RunSpec, { userNamespace }: SpecOptions): object {
  return { ...user, ...(userNamespace === 'one-id' && { additionalGids: [] }), umask: 0o022 };
}

/**
 * crun binds the root anew and thereby drops the attributes it had. This gives `nodev` back inside the container's mount
 * namespace, after everything is mounted and before anything runs. (A device node on a file system that a user
 * namespace mounted cannot be opened anyway.)
 */
function nodevHook(program: string, spec: RunSpec): object {
  const readonly = spec.readonlyRoot === true ? ',ro' : '';
  // crun fails when a hook ends without having read the state that it writes to it.
  const script = 'while read -r state; do :; done; exec "$0" "$@"';
  const options = `remount,bind,nodev${readonly}`;
  return { path: '/bin/sh', args: ['sh', '-c', script, program, '-o', options, spec.rootfs] };
}

function networkNamespace({ network }: RunSpec): readonly object[] {
  if (network === 'host') return [];
  return [network === 'none' ? { type: 'network' } : { type: 'network', path: network.netns }];
}

function systemMounts(spec: RunSpec, opts: SpecOptions): readonly OciMount[] {
  const quiet = ['nosuid', 'noexec', 'nodev'];
  return [
    mount('/proc', 'proc', 'proc', quiet),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'nodev', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', devptsOptions(opts)),
    mount('/dev/shm', 'tmpfs', 'shm', [...quiet, 'mode=1777', `size=${SHM_SIZE}`]),
    mount('/dev/mqueue', 'mqueue', 'mqueue', quiet),
    ...(opts.userNamespace === 'none' ? DEVICES : []).map((name) =>
      mount(`/dev/${name}`, 'bind', name === 'null' ? (opts.nullDevice ?? '/dev/null') : `/dev/${name}`, [
        'bind',
        'nosuid',
        'noexec',
        'dev',
      ]),
    ),
    sys(spec, opts),
    mount('/etc/resolv.conf', 'bind', opts.resolvConf, ['bind', 'ro', 'nosuid', 'nodev']),
    mount('/etc/hosts', 'bind', opts.hosts, ['bind', 'ro', 'nosuid', 'nodev']),
  ];
}

/** Terminals belong to the group `tty`, where there is one. */
function devptsOptions({ userNamespace }: SpecOptions): readonly string[] {
  const options = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  return userNamespace === 'one-id' ? options : [...options, 'gid=5'];
}

/** A sysfs shows the network namespace it is mounted in, so its owner alone may mount one. */
function sys(spec: RunSpec, opts: SpecOptions): OciMount {
  const fresh = opts.userNamespace === 'none' || spec.network !== 'host';
  const access = spec.insecure ? 'rw' : 'ro';
  return fresh
    ? mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', access])
    : mount('/sys', 'bind', '/sys', ['rbind', 'nosuid', 'noexec', 'nodev', access]);
}

function userMount(wanted: RunMount, opts: SpecOptions): OciMount {
  if (wanted.type === 'bind') {
    const access = wanted.readonly ? 'ro' : 'rw';
    const inert = wanted.inert ? ['nosuid', 'noexec'] : [];
    return mount(wanted.target, 'bind', wanted.source, ['rbind', access, 'nodev', ...inert]);
  }
  // what is mounted in a user namespace has no devices, and BuildKit does not say `nodev` here
  const nodev = opts.userNamespace === 'none' ? ['nodev'] : [];
  const mode = opts.tmpfsModes.get(wanted.target) ?? 0o1777;
  const size = wanted.size ? [`size=${wanted.size}`] : [];
  return mount(wanted.target, 'tmpfs', 'tmpfs', ['nosuid', ...nodev, ...size, `mode=${mode.toString(8)}`]);
}

/** The last mount of a destination, at the place of the first one. */
function onceEach(mounts: readonly OciMount[]): readonly OciMount[] {
  const byDestination = new Map<string, OciMount>();
  for (const one of mounts) byDestination.set(one.destination, one);
  return [...byDestination.values()];
}

function mount(destination: string, type: string, source: string, options: readonly string[]): OciMount {
  return { destination, type, source, options };
}

/** -1 is no limit, which the runtime-spec writes as the largest number; JSON numbers in JavaScript end earlier. */
function limit(value: number): number {
  return value < 0 ? Number.MAX_SAFE_INTEGER : value;
}
