/** OCI runtime-spec `config-linux.md`, "Seccomp", in the members used here. */
export interface Seccomp {
  readonly defaultAction: 'SCMP_ACT_ALLOW';
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ERRNO';
  readonly errnoRet: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: 'SCMP_CMP_MASKED_EQ' | 'SCMP_CMP_EQ';
  }[];
}

const EPERM = 1;
const ENOSYS = 38;
const AF_VSOCK = 40;

/**
 * Refused with EPERM: what Docker's profile lets no container do that has the default capabilities. A list of what is
 * refused, and not of what is allowed, so that a system call younger than this list works as on the host.
 */
const REFUSED = [
  // the kernel's keys, which are not kept apart by namespaces
  'add_key keyctl request_key',
  // tracing and programs in the kernel
  'bpf perf_event_open userfaultfd kcmp lookup_dcookie syslog acct fanotify_init',
  // files by handle, past every mount
  'open_by_handle_at',
  // the machine: kernel, modules, clock, swap, ports, quotas
  'kexec_load kexec_file_load reboot create_module init_module finit_module delete_module get_kernel_syms query_module clock_settime clock_settime64 clock_adjtime clock_adjtime64 settimeofday stime adjtimex swapon swapoff ioperm iopl quotactl quotactl_fd nfsservctl uselib ustat sysfs _sysctl vm86 vm86old vhangup',
  // mounts, namespaces, names of the machine: all want CAP_SYS_ADMIN, or give it in a new user namespace
  'mount umount umount2 pivot_root mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick setns unshare sethostname setdomainname',
  // memory placement
  'mbind move_pages migrate_pages set_mempolicy set_mempolicy_home_node get_mempolicy',
  // a second way to most system calls, past this filter
  'io_uring_setup io_uring_enter io_uring_register',
].flatMap((names) => names.split(' '));

/** CLONE_NEWTIME to CLONE_NEWNET, one bit a kind of namespace. */
const NAMESPACE_FLAGS = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000];

const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, readonly string[]>>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  ppc64: ['SCMP_ARCH_PPC64LE'],
};

/** Undefined on a processor whose names are not known here. */
export function seccompProfile(arch: NodeJS.Architecture): Seccomp | undefined {
  const architectures = ARCHITECTURES[arch];
  if (!architectures) return undefined;
  // clone(2) on s390 has its flags second
  const flagsAt = arch === 's390x' ? 1 : 0;
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures,
    syscalls: [
      { names: REFUSED, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      ...NAMESPACE_FLAGS.map((flag) => ({
        names: ['clone'],
        action: 'SCMP_ACT_ERRNO' as const,
        errnoRet: EPERM,
        args: [{ index: flagsAt, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' as const }],
      })),
      // its flags lie in memory, where a filter cannot look; C libraries then use clone(2)
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      {
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: EPERM,
        args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_EQ' }],
      },
    ],
  };
}
