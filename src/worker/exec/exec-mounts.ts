import path from 'node:path';
import { compareBytes, fromText } from '../../base/bytes.js';
import type { RunMount } from '../../executor/types.js';
import type { ExecMount } from '../../llb/types.js';
import type { TreeParts } from '../local-machine.js';
import type { ExecRequest, MachineOptions, RefId } from '../machine.js';
import { CacheMounts, type Cache } from './cache-mounts.js';
import { mountAgent } from './agent-mount.js';
import { giveFile, type GiveFile } from './give-file.js';
import { pinSource, sourceWithin } from './pinned-source.js';
import { placeSecret, secretVariable } from './secret-mount.js';

/** What a RUN gets beside its root. */
export interface ExecMounts {
  /** Outer ones first. */
  readonly mounts: readonly RunMount[];
  /** Variables that hold secrets. */
  readonly env: readonly string[];
  /** Only when the process has ended. */
  [Symbol.dispose](): void;
}

/**
 * Makes what `RUN --mount` asks for. Nothing of it becomes part of the root: what is written to a bind mount is thrown
 * away with it, what is written to a cache mount stays in the store. Throws PATH_NOT_FOUND, SECRET_NOT_FOUND.
 */
export async function openExecMounts(
  request: ExecRequest,
  privateDir: string,
  parts: TreeParts,
  opts: MachineOptions,
): Promise<ExecMounts> {
  const opening = new Opening(request, privateDir, parts, opts);
  try {
    await opening.openAll();
    return opening;
  } catch (error) {
    opening[Symbol.dispose]();
    throw error;
  }
}

class Opening implements ExecMounts {
  readonly mounts: RunMount[] = [];
  readonly env: string[] = [];
  readonly #closers: (() => void)[] = [];
  readonly #caches: CacheMounts;
  readonly #cacheDirs = new Map<ExecMount, string>();
  readonly #request: ExecRequest;
  readonly #privateDir: string;
  readonly #parts: TreeParts;
  readonly #opts: MachineOptions;
  readonly #give: GiveFile;

  constructor(request: ExecRequest, privateDir: string, parts: TreeParts, opts: MachineOptions) {
    this.#request = request;
    this.#privateDir = privateDir;
    this.#parts = parts;
    this.#opts = opts;
    this.#give = giveFile(parts.kind);
    this.#caches = new CacheMounts(parts);
  }

  async openAll(): Promise<void> {
    const { op, secrets } = this.#request;
    const caches = new Map(op.mounts.flatMap((one) => this.#cacheOf(one)));
    const dirs = await this.#caches.open([...caches.values()], this.#opts);
    [...caches.keys()].forEach((one, i) => this.#cacheDirs.set(one, dirs[i]!));
    for (const one of op.mounts) {
      if (one.dest === '/') continue;
      const variable = secretVariable(one, secrets);
      if (variable !== undefined) this.env.push(variable);
      const made = await this.#open(one);
      if (made) this.mounts.push(made);
    }
    this.mounts.sort((a, b) => compareBytes(fromText(a.target), fromText(b.target)));
  }

  [Symbol.dispose](): void {
    for (const close of this.#closers.reverse()) close();
    this.#caches[Symbol.dispose]();
  }

  async #open(one: ExecMount): Promise<RunMount | undefined> {
    const { op, secrets, agents } = this.#request;
    const target = path.posix.resolve(op.meta.cwd, one.dest);
    const { mount, readonly } = one;
    switch (mount.type) {
      case 'tmpfs':
        return { type: 'tmpfs', target, size: mount.size };
      case 'secret':
        return placeSecret({ ...mount, target }, secrets, this.#privateDir, this.#give);
      case 'ssh': {
        const source = await mountAgent(mount, agents, this.#privateDir, this.#closers, this.#give);
        return source === undefined ? undefined : { type: 'bind', source, target, readonly: false };
      }
      case 'cache':
        return { type: 'bind', source: this.#within(this.#cacheDirs.get(one)!, one), target, readonly, isKept: true };
      case 'bind':
        return { type: 'bind', source: this.#within(await this.#mountTrees(one), one), target, readonly };
    }
  }

  #cacheOf(one: ExecMount): readonly (readonly [ExecMount, Cache])[] {
    return one.mount.type === 'cache' ? [[one, { ...one.mount, from: refOf(this.#request, one) }]] : [];
  }

  /** Something to write on, and an empty file system, are new trees that are thrown away. */
  async #mountTrees(one: ExecMount): Promise<string> {
    const { trees } = this.#parts;
    const ref = refOf(this.#request, one);
    const isRead = one.readonly && ref !== null;
    const mounted = await (isRead
      ? trees.mount(ref, this.#opts)
      : trees.mountActive(ref, { ...this.#opts, branches: true }));
    this.#closers.push(() => mounted[Symbol.dispose]());
    return mounted.root;
  }

  #within(root: string, { selector, readonly }: ExecMount): string {
    if (selector === undefined) return root;
    if (this.#parts.kind.rung === 'chroot') return sourceWithin(root, selector);
    return pinSource(root, selector, readonly, this.#privateDir, this.#closers);
  }
}

function refOf({ inputs }: ExecRequest, { input }: ExecMount): RefId {
  if (input < 0) return null;
  const given = inputs[input];
  if (given?.kind !== 'ref') throw new Error('a local directory cannot be mounted as it is');
  return given.ref;
}
