import { unreachable } from '../../base/errors.js';
import type { ExecMount, ExecOp, FileAction, Op, Owner, SourceOp, Vertex } from '../../llb/types.js';
import { redact } from '../../remote/redact.js';

const NETWORKS = { sandbox: 0, host: 1, none: 2 } as const;
const MOUNT_TYPES = { bind: 0, secret: 1, ssh: 2, cache: 3, tmpfs: 4 } as const;
const SHARING = { shared: 0, private: 1, locked: 2 } as const;

/**
 * A vertex without its inputs as BuildKit writes an LLB op in JSON (`solver/pb`): members that are empty, zero or
 * false are left out. Addresses come without credentials. Proxies are a matter of the machine, and may hold passwords:
 * they are left out too.
 */
export function llbJson({ op, platform, inputs }: Vertex): object {
  return {
    Op: opJson(op, inputs.length),
    platform: { Architecture: platform.architecture, OS: platform.os, ...given({ Variant: platform.variant }) },
    constraints: {},
  };
}

function opJson(op: Op, inputs: number): object {
  switch (op.kind) {
    case 'source':
      return { source: sourceJson(op) };
    case 'exec':
      return { exec: execJson(op) };
    case 'file':
      return { file: { actions: op.actions.map(actionJson) } };
    case 'merge':
      return { merge: { inputs: Array.from({ length: inputs }, (_, input) => given({ input })) } };
    case 'diff':
      return { diff: { lower: {}, upper: { input: 1 } } };
    default:
      return unreachable(op);
  }
}

function sourceJson({ identifier, attrs }: SourceOp): object {
  const shown = Object.entries(attrs).map(([name, value]) => [name, redact(value)]);
  const isAddress = /^(?:https?|git):/.test(identifier);
  return {
    identifier: isAddress ? redact(identifier) : identifier,
    ...(shown.length > 0 && { attrs: Object.fromEntries(shown) }),
  };
}

function execJson({ meta, mounts, network, security }: ExecOp): object {
  const secretenv = mounts.flatMap(({ mount }) =>
    mount.type === 'secret' && mount.env !== undefined
      ? [{ ID: mount.id, name: mount.env, ...given({ optional: mount.optional }) }]
      : [],
  );
  return {
    meta: {
      args: meta.args,
      ...given({
        env: meta.env,
        cwd: meta.cwd,
        user: meta.user,
        extraHosts: meta.extraHosts?.map(({ host, ip }) => ({ Host: host, IP: ip })),
        hostname: meta.hostname,
        ulimit: meta.ulimits?.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
      }),
    },
    mounts: mounts.filter(({ dest }) => dest !== '').map(mountJson),
    ...given({ network: NETWORKS[network], security: security === 'insecure' ? 1 : 0, secretenv }),
  };
}

function mountJson({ input, selector, dest, output, readonly, mount }: ExecMount): object {
  return given({ input, selector, dest, output, readonly, mountType: MOUNT_TYPES[mount.type], ...optionsOf(mount) });
}

function optionsOf(mount: ExecMount['mount']): Record<string, unknown> {
  switch (mount.type) {
    case 'bind':
      return {};
    case 'tmpfs':
      return { TmpfsOpt: given({ size: mount.size }) };
    case 'cache':
      return { cacheOpt: given({ ID: mount.id, sharing: SHARING[mount.sharing] }) };
    case 'secret':
    case 'ssh': {
      const { id, uid, gid, mode, optional } = mount;
      return { [mount.type === 'ssh' ? 'SSHOpt' : 'secretOpt']: given({ ID: id, uid, gid, mode, optional }) };
    }
    default:
      return unreachable(mount);
  }
}

function actionJson({ input, secondaryInput, output, action }: FileAction): object {
  const { type, ...members } = action;
  const { owner, timestamp, ...rest } = members as Record<string, unknown> & { owner?: Owner; timestamp?: string };
  const timed = type !== 'rm' && { timestamp: Number(timestamp ?? -1) };
  const owned = owner && { owner: given({ user: ownerJson(owner.user), group: ownerJson(owner.group) }) };
  return { input, secondaryInput, output, Action: { [type]: { ...given(rest), ...owned, ...timed } } };
}

function ownerJson(owner: Owner['user']): object | undefined {
  if (!owner) return undefined;
  return { User: 'name' in owner ? { byName: { name: owner.name } } : given({ byId: owner.id }) };
}

/** Without what Go's `omitempty` leaves out. */
function given(members: Record<string, unknown>): Record<string, unknown> {
  const isEmpty = (value: unknown): boolean =>
    value === undefined ||
    value === '' ||
    value === 0 ||
    value === false ||
    (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(members).filter(([, value]) => !isEmpty(value)));
}
