import { fromText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { localhostHint } from '../../executor/network/localhost-hint.js';
import { lookUpUser, type ExecUser } from '../../executor/user.js';
import type { RunNetwork, RunSpec } from '../../executor/types.js';
import { hostCa, withHostCa } from '../../executor/host-ca.js';
import type { ExecMount, ExecOp } from '../../llb/types.js';
import type { TreeParts } from '../local-machine.js';
import type { ExecRequest, MachineOptions, RefId } from '../machine.js';
import { notStarted, RunFailedError } from '../run-failed.js';
import type { ActiveTree } from '../trees/types.js';
import { executorFor } from './executor-for.js';
import { lookAhead } from './look-ahead.js';
import { beginNetwork } from './network-for.js';
import { requireUser } from './one-id-limits.js';
import { watchOutput } from './watched-output.js';
import { openExecMounts, type ExecMounts } from './exec-mounts.js';
import { readSmallFile } from './read-small-file.js';

/** RUN: mounts the root with a new tree on top, runs the process, and keeps what it changed. */
export async function runExec(request: ExecRequest, parts: TreeParts, opts: MachineOptions): Promise<readonly RefId[]> {
  const { op, inputs, now } = request;
  const root = rootMount(op);
  const input = root.input < 0 ? undefined : inputs[root.input];
  if (input && input.kind !== 'ref') throw new Error('a local directory cannot be the root of a process');
  const parent = input?.ref ?? null;
  await using coming = beginNetwork(op, parts, opts);
  using tree = await parts.trees.mountActive(parent, { ...opts, branches: request.branches });
  using support = executorFor(parts);
  const lent = await coming.lent;
  using mounts = await openExecMounts(request, support.privateDir, parts, opts);
  const spec = await runSpec(request, tree, support.dir, { network: lent.network, mounts });
  requireUser(spec.user, parts.kind);
  const output = watchOutput(opts.onOutput, parts.kind);
  await using ahead = lookAhead(parent, request.copied, parts, opts);
  const status = await inTree(tree, () =>
    starting(op.meta.args, () => support.executor.run(spec, { ...opts, onOutput: output.onOutput })),
  );
  const seen = await ahead.end();
  lent.check();
  if (status.kind === 'killed') throw new RunFailedError(137, status.signal, op.meta.args);
  if (status.code !== 0) {
    throw new RunFailedError(status.code, undefined, op.meta.args, output.hint() ?? localhostHint(spec));
  }
  await output.warn();
  const { refs } = parts.store;
  const id = refs.newId();
  const description = `mount / from exec ${op.meta.args.join(' ')}`;
  await tree.commit(id, opts);
  await refs.save({ id, createdAt: now, description, ...(parent !== null && { parent }) });
  if (seen) parts.below.add(id, seen);
  return [id];
}

function rootMount(op: ExecOp): ExecMount {
  const root = op.mounts.find((mount) => mount.dest === '/');
  if (!root) throw new Error('an exec op without a root');
  return root;
}

async function runSpec(
  request: ExecRequest,
  tree: ActiveTree,
  supportDir: string,
  extra: { readonly network: RunNetwork; readonly mounts: ExecMounts },
): Promise<RunSpec> {
  const { meta, security } = request.op;
  const { network, mounts } = extra;
  const user = await userOf(meta, tree);
  const ca = request.trustHostCa ? hostCa(process.env, supportDir) : undefined;
  const given = [...meta.env, ...Object.entries(meta.proxyEnv ?? {}).map(([name, value]) => `${name}=${value}`)];
  const env = withDefaults(withDefaults(mounts.env, given), [`HOME=${user.home}`]);
  return {
    rootfs: tree.root,
    args: meta.args,
    env: ca ? withHostCa(env, ca) : env,
    cwd: meta.cwd,
    user,
    network,
    mounts: [...mounts.mounts, ...(ca?.mounts ?? [])],
    ...(security === 'insecure' && { insecure: true }),
    ...(meta.hostname !== undefined && { hostname: meta.hostname }),
    ...(meta.extraHosts !== undefined && { extraHosts: meta.extraHosts }),
    ...(meta.ulimits !== undefined && { ulimits: meta.ulimits }),
  };
}

async function userOf({ user, args }: ExecOp['meta'], tree: ActiveTree): Promise<ExecUser> {
  return await starting(args, () => lookUpUser(user, (path) => readSmallFile(tree.view, fromText(path))));
}

/** Runs a process in a tree. When the tree broke under it, this is what is told, whatever else was met. */
export async function inTree<T>(tree: ActiveTree, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } finally {
    tree.check?.();
  }
}

async function starting<T>(args: readonly string[], start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw error instanceof BuildError && error.code === 'RUN_FAILED' ? notStarted(args, error) : error;
  }
}

/** What the image or the Dockerfile sets itself stays. */
export function withDefaults(env: readonly string[], defaults: readonly string[]): readonly string[] {
  const names = new Set(env.map(nameOf));
  return [...env, ...defaults.filter((one) => !names.has(nameOf(one)))];
}

function nameOf(variable: string): string {
  return variable.slice(0, variable.indexOf('='));
}
