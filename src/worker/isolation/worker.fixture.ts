import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { fromText, toText } from '../../base/bytes.js';
import { mount } from '../../base/linux/mount.js';
import { OciRuntime } from '../../executor/oci-runtime.js';
import type { UserNamespace } from '../../executor/oci-spec.js';
import { findProgram, findRuntime, type Runtime } from '../../executor/runtime.js';
import type { RunSpec } from '../../executor/types.js';
import { diffUpper } from '../../snapshot/overlay-diff.js';
import { mountActive, mountView, unmountTree } from '../../snapshot/overlay.js';
import { TreeView } from '../../snapshot/tree-view.js';
import type { Change } from '../../snapshot/types.js';

/** What the tests ask of a worker. Directories are names below `dir`. */
export type Task =
  | { readonly op: 'base'; readonly dir: string; readonly tar?: string }
  | {
      readonly op: 'run';
      readonly dir: string;
      readonly lowers: readonly string[];
      readonly upper: string;
      readonly spec: Partial<RunSpec>;
      readonly abortAfterMs?: number;
    }
  | { readonly op: 'bench'; readonly dir: string; readonly lowers: readonly string[]; readonly times: number }
  | { readonly op: 'litter'; readonly dir: string }
  | { readonly op: 'maps' };

export interface Outcome {
  readonly exit?: string;
  readonly output: string;
  readonly changes: readonly string[];
  readonly ms: number;
  readonly error?: string;
}

const rung = process.argv[2] ?? '';
const namespaces: Record<string, UserNamespace> = { userns: 'many-ids', 'userns-single': 'one-id' };
const userxattr = rung in namespaces;
const runtime: Runtime =
  process.env['SLIPWAY_TEST_RUNTIME'] === 'runc'
    ? { name: 'runc', file: findProgram('runc', process.env) ?? '', seccomp: true }
    : findRuntime(process.env);

process.on('message', (task: Task) => {
  void answer(task).then((outcome) => process.send?.(outcome));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

async function answer(task: Task): Promise<Outcome> {
  const started = performance.now();
  const nothing = { output: '', changes: [], ms: 0 };
  try {
    switch (task.op) {
      case 'base':
        makeBase(`${task.dir}/base`, task.tar);
        return nothing;
      case 'run':
        return await runOnce(task, started);
      case 'bench':
        return { ...nothing, ms: await bench(task) };
      case 'maps':
        return { ...nothing, output: ['uid_map', 'gid_map', 'setgroups'].map(readOwn).join('') };
      case 'litter':
        mount({ source: 'tmpfs', target: task.dir, type: 'tmpfs' });
        spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
        return nothing;
    }
  } catch (error) {
    return { ...nothing, error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) };
  }
}

function readOwn(name: string): string {
  return readFileSync(`/proc/self/${name}`, 'latin1');
}

async function runOnce(task: Extract<Task, { op: 'run' }>, started: number): Promise<Outcome> {
  const { dir, lowers, upper } = task;
  for (const name of [upper, `${upper}.work`, 'merged', 'lower']) mkdirSync(`${dir}/${name}`, { recursive: true });
  mountActive(lowers, upper, `${upper}.work`, 'merged', { dir, userxattr });
  let result: { output: string; exit: string };
  try {
    result = await runIn(`${dir}/merged`, task.spec, dir, task.abortAfterMs);
  } finally {
    unmountTree(`${dir}/merged`);
  }
  mountView(lowers, 'lower', { dir, userxattr });
  try {
    const view = new TreeView(fromText(`${dir}/lower`));
    const signal = new AbortController().signal;
    const changes = await diffUpper(fromText(`${dir}/${upper}`), view, { signal });
    return { ...result, changes: changes.map(describe), ms: performance.now() - started };
  } finally {
    unmountTree(`${dir}/lower`);
  }
}

async function runIn(
  rootfs: string,
  partial: Partial<RunSpec>,
  dir: string,
  abortAfterMs?: number,
): Promise<{ output: string; exit: string }> {
  const executor = new OciRuntime({
    runtime,
    stateDir: `${dir}/state`,
    userNamespace: namespaces[rung] ?? 'none',
    env: process.env,
  });
  const chunks: Buffer[] = [];
  const stop = new AbortController();
  if (abortAfterMs !== undefined) setTimeout(() => stop.abort(new Error('stopped')), abortAfterMs);
  const spec: RunSpec = {
    args: ['/bin/true'],
    env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin', 'HOME=/root'],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [0] },
    network: 'host',
    mounts: [],
    ...partial,
    rootfs,
  };
  const end = await executor
    .run(spec, { signal: stop.signal, onOutput: (_, chunk) => void chunks.push(chunk) })
    .then((status) => (status.kind === 'exited' ? `exit ${status.code}` : status.signal))
    .catch((error: Error & { code?: string }) => `${error.code ?? 'thrown'} ${error.message}`);
  return { output: Buffer.concat(chunks).toString(), exit: end };
}

async function bench({ dir, lowers, times }: Extract<Task, { op: 'bench' }>): Promise<number> {
  mkdirSync(`${dir}/merged`, { recursive: true });
  for (const name of ['bench', 'bench.work']) mkdirSync(`${dir}/${name}`, { recursive: true });
  mountActive(lowers, 'bench', 'bench.work', 'merged', { dir, userxattr });
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const from = performance.now();
    const { exit, output } = await runIn(`${dir}/merged`, {}, dir);
    if (exit !== 'exit 0') throw new Error(`${exit}: ${output}`);
    taken.push(performance.now() - from);
  }
  unmountTree(`${dir}/merged`);
  return taken.sort((a, b) => a - b)[times >> 1] as number;
}

function describe(change: Change): string {
  if (change.kind === 'removed') return `- ${toText(change.path)}`;
  const { path, type, mode, uid, gid, linkname } = change.entry;
  const link = linkname === undefined ? '' : ` -> ${toText(linkname)}`;
  return `${type} ${mode.toString(8)} ${uid}:${gid} ${toText(path)}${link}`;
}

function makeBase(base: string, tar?: string): void {
  mkdirSync(base, { recursive: true });
  if (tar !== undefined) {
    execFileSync('tar', ['--numeric-owner', '-xpf', tar, '-C', base]);
    return;
  }
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(`${base}/${name}`);
  chmodSync(`${base}/tmp`, 0o1777);
  const busybox = findProgram('busybox', process.env) ?? '';
  copyFileSync(busybox, `${base}/bin/busybox`);
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of applets) if (name !== 'busybox') symlinkSync('busybox', `${base}/bin/${name}`);
  writeFileSync(`${base}/etc/passwd`, 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
  writeFileSync(`${base}/etc/group`, 'root:x:0:\napp:x:1000:\n');
}
