import { expect, test } from 'vitest';
import { ociSpec, type SpecOptions } from './oci-spec.js';
import { seccompProfile } from './seccomp.js';
import type { RunSpec } from './types.js';

interface Config {
  readonly process: { readonly rlimits: readonly object[]; readonly cwd: string };
  readonly mounts: readonly {
    readonly destination: string;
    readonly type: string;
    readonly options: readonly string[];
  }[];
  readonly linux: { readonly namespaces: readonly { readonly type: string }[]; readonly seccomp?: object };
  readonly hooks?: object;
}

const spec: RunSpec = {
  rootfs: '/trees/m',
  args: ['true'],
  env: [],
  cwd: '/',
  user: { uid: 0, gid: 0, additionalGids: [] },
  network: 'host',
  mounts: [],
};
const options: SpecOptions = {
  userNamespace: 'none',
  seccomp: true,
  ownCapabilities: ['CAP_SYS_ADMIN'],
  arch: 'x64',
  cwd: '/',
  resolvConf: '/r',
  hosts: '/h',
  tmpfsModes: new Map(),
};
const make = (run: Partial<RunSpec> = {}, opts: Partial<SpecOptions> = {}): Config =>
  ociSpec({ ...spec, ...run }, { ...options, ...opts }) as Config;
const mountAt = (config: Config, path: string): Config['mounts'][number] | undefined =>
  config.mounts.findLast(({ destination }) => destination === path);

test('every mount but the harmless devices is without devices', () => {
  const config = make({
    mounts: [
      { type: 'bind', source: '/s', target: '/b', readonly: false },
      { type: 'tmpfs', target: '/t' },
    ],
  });
  const open = config.mounts.filter(({ options: given }) => !given.includes('nodev')).map((one) => one.destination);
  expect(open).toEqual(['/dev/pts', '/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty']);
});

test('a new network namespace for none, one that is there for a network of its own, else that of the machine', () => {
  const others = [{ type: 'pid' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }];
  expect(make().linux.namespaces).toEqual(others);
  expect(make({ network: 'none' }).linux.namespaces).toEqual([...others, { type: 'network' }]);
  const network = { netns: '/n', resolvConf: '' };
  expect(make({ network }).linux.namespaces).toEqual([...others, { type: 'network', path: '/n' }]);
  expect(mountAt(make({ network }, { userNamespace: 'many-ids' }), '/sys')?.type).toBe('sysfs');
});

test('what is inert cannot be executed', () => {
  const bind = { type: 'bind', source: '/s', target: '/b', readonly: true } as const;
  expect(mountAt(make({ mounts: [bind] }), '/b')?.options).toEqual(['rbind', 'ro', 'nodev']);
  const options = ['rbind', 'ro', 'nodev', 'nosuid', 'noexec'];
  expect(mountAt(make({ mounts: [{ ...bind, inert: true }] }), '/b')?.options).toEqual(options);
});

test('sysfs is bound where it cannot be mounted', () => {
  expect(mountAt(make({}, { userNamespace: 'many-ids' }), '/sys')?.type).toBe('bind');
  expect(mountAt(make({ network: 'none' }, { userNamespace: 'many-ids' }), '/sys')?.type).toBe('sysfs');
  expect(mountAt(make(), '/sys')?.type).toBe('sysfs');
});

test('a namespace with one id has no group of terminals, and no further groups', () => {
  const pts = (userNamespace: 'many-ids' | 'one-id') => mountAt(make({}, { userNamespace }), '/dev/pts')?.options;
  expect(pts('many-ids')).toContain('gid=5');
  expect(pts('one-id')).not.toContain('gid=5');
  const user = { uid: 0, gid: 0, additionalGids: [0, 10] };
  const { process } = ociSpec({ ...spec, user }, { ...options, userNamespace: 'one-id' }) as {
    readonly process: { readonly user: object };
  };
  expect(process.user).toEqual({ uid: 0, gid: 0, additionalGids: [], umask: 0o022 });
});

test('limits, shared memory, modes of a tmpfs', () => {
  const config = make(
    {
      ulimits: [{ name: 'nofile', soft: 10, hard: -1 }],
      mounts: [
        { type: 'tmpfs', target: '/t', size: 9 },
        { type: 'tmpfs', target: '/dev/shm', size: 4096 },
      ],
    },
    { tmpfsModes: new Map([['/t', 0o750]]) },
  );
  expect(config.process.rlimits).toEqual([{ type: 'RLIMIT_NOFILE', soft: 10, hard: Number.MAX_SAFE_INTEGER }]);
  expect(config.mounts.filter(({ destination }) => destination === '/dev/shm')).toEqual([
    expect.objectContaining({ options: ['nosuid', 'nodev', 'size=4096', 'mode=1777'] }),
  ]);
  expect(mountAt(config, '/t')?.options).toEqual(['nosuid', 'nodev', 'size=9', 'mode=750']);
});

test('the root gets its attribute back by a hook only where a program is given for it', () => {
  expect(make().hooks).toBeUndefined();
  expect(JSON.stringify(make({}, { mountProgram: '/bin/mount' }).hooks)).toContain('remount,bind,nodev');
});

test('the filter knows the other architectures of a processor, or is left out', () => {
  expect(seccompProfile('x64')?.architectures).toContain('SCMP_ARCH_X32');
  expect(seccompProfile('mips')).toBeUndefined();
  expect(make({}, { seccomp: false }).linux.seccomp).toBeUndefined();
  const refused = seccompProfile('arm64')?.syscalls[0]?.names ?? [];
  expect(refused).toEqual(expect.arrayContaining(['keyctl', 'mount', 'unshare', 'bpf', 'open_by_handle_at']));
  expect(new Set(refused).size).toBe(refused.length);
});

test('an insecure run has what its executor has, and nothing is kept from it', () => {
  const usual = make({}, { mountProgram: '/bin/mount' }) as unknown as {
    process: { capabilities: { bounding: string[] } };
    linux: { maskedPaths: string[]; readonlyPaths: string[]; seccomp?: object };
    hooks?: object;
  };
  const insecure = make({ insecure: true }, { mountProgram: '/bin/mount' }) as unknown as typeof usual;
  expect(usual.process.capabilities.bounding).not.toContain('CAP_SYS_ADMIN');
  expect([usual.linux.seccomp, usual.hooks]).not.toContain(undefined);
  expect(insecure.process.capabilities.bounding).toEqual(['CAP_SYS_ADMIN']);
  expect(insecure.linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
  expect([insecure.linux.seccomp, insecure.hooks]).toEqual([undefined, undefined]);
  expect(mountAt(make({ insecure: true }), '/sys')!.options).toContain('rw');
});
