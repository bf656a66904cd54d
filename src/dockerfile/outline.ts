import { posix } from 'node:path';
import type { MomentName, Moments, Watcher } from './checks/moments.js';
import type { LineRange } from './diagnostic.js';
import type { Mount } from './instructions/mount.js';
import type { PlannedStage } from './to-llb/planned-stage.js';

/** What a build of one target can be given. */
export interface Outline {
  /** Of the target; '' without one. */
  readonly name: string;
  readonly description: string;
  readonly args: readonly OutlineArg[];
  readonly secrets: readonly OutlineMount[];
  readonly ssh: readonly OutlineMount[];
}

export interface OutlineArg {
  readonly name: string;
  readonly description: string;
  readonly value: string;
  readonly range: LineRange;
}

export interface OutlineMount {
  readonly name: string;
  readonly required: boolean;
  readonly range: LineRange;
}

interface CapturedArg extends OutlineArg {
  /** Variables of its default. */
  readonly uses: ReadonlySet<string>;
}

class StageCapture {
  readonly args: Map<string, CapturedArg>;
  readonly used: Set<string>;
  readonly secrets = new Map<string, OutlineMount>();
  readonly ssh = new Map<string, OutlineMount>();

  constructor(from: Pick<StageCapture, 'args' | 'used'>) {
    this.args = new Map(from.args);
    this.used = new Set(from.used);
  }
}

/** Gathers the outline of a Dockerfile while it is converted. */
export class OutlineCapture implements Watcher {
  readonly #global = new StageCapture({ args: new Map(), used: new Set() });
  readonly #stages = new Map<PlannedStage, StageCapture & { readonly description: string }>();
  #target: PlannedStage | undefined;

  tell<M extends MomentName>(moment: M, facts: Moments[M]): void {
    LISTENERS[moment]?.(this, facts);
  }

  globalArg({ arg, value = '', uses, range }: Moments['globalArg']): void {
    const before = uses.has(arg.key) ? (this.#global.args.get(arg.key)?.uses ?? []) : [];
    const all = new Set([...uses, ...before]);
    all.delete(arg.key);
    const described = { name: arg.key, description: arg.docComment ?? '', value, range };
    this.#global.args.set(arg.key, { ...described, uses: all });
  }

  planned({ stage, args, description = '' }: Moments['planned']): void {
    const base = stage.base && this.#stages.get(stage.base);
    const capture = Object.assign(new StageCapture(base ?? this.#global), { description });
    if (stage.replacedBy === undefined) for (const name of args) capture.used.add(name);
    this.#stages.set(stage, capture);
  }

  target(stage: Moments['target']): void {
    this.#target = stage;
  }

  arg({ stage, arg, value = '', inherited, range }: Moments['arg']): void {
    const capture = this.#stages.get(stage);
    if (capture === undefined) return;
    capture.used.add(arg.key);
    if (inherited) return;
    const described = { name: arg.key, description: arg.docComment ?? '', value, range };
    capture.args.set(arg.key, { ...described, uses: new Set() });
  }

  mount({ stage, mount, range }: Moments['mount']): void {
    const capture = this.#stages.get(stage);
    if (capture === undefined || (mount.type !== 'secret' && mount.type !== 'ssh')) return;
    const all = mount.type === 'secret' ? capture.secrets : capture.ssh;
    const name = mount.type === 'secret' ? secretId(mount) : mount.id || 'default';
    if (!all.has(name)) all.set(name, { name, required: mount.required, range });
  }

  /** Of the target that the conversion was asked for. */
  outline(): Outline {
    const target = this.#target;
    if (target === undefined) throw new Error('nothing was converted');
    const captures = [...withSources(target, new Set())].flatMap((stage) => this.#stages.get(stage) ?? []);
    return {
      name: target.name,
      description: this.#stages.get(target)?.description ?? '',
      args: firstOfName(captures.flatMap(usedArgs)),
      secrets: firstOfName(captures.flatMap(({ secrets }) => [...secrets.values()])),
      ssh: firstOfName(captures.flatMap(({ ssh }) => [...ssh.values()])),
    };
  }
}

type Listeners = { readonly [M in MomentName]?: (capture: OutlineCapture, facts: Moments[M]) => void };

const LISTENERS: Listeners = {
  globalArg: (capture, facts) => capture.globalArg(facts),
  planned: (capture, facts) => capture.planned(facts),
  target: (capture, facts) => capture.target(facts),
  arg: (capture, facts) => capture.arg(facts),
  mount: (capture, facts) => capture.mount(facts),
};

/** A stage, what it stands on, and what it reads from, the nearer ones first. */
function withSources(stage: PlannedStage, seen: Set<PlannedStage>): ReadonlySet<PlannedStage> {
  if (seen.has(stage)) return seen;
  seen.add(stage);
  if (stage.base !== undefined) withSources(stage.base, seen);
  for (const source of stage.reads.keys()) withSources(source, seen);
  return seen;
}

/** In the order of their lines; the first of a name is that of the nearest stage. */
function firstOfName<T extends OutlineArg | OutlineMount>(all: readonly T[]): readonly T[] {
  const found = new Map<string, T>();
  for (const one of all) if (!found.has(one.name)) found.set(one.name, one);
  return [...found.values()].sort((a, b) => a.range.startLine - b.range.startLine);
}

/** The ARGs that a stage uses, itself or through the defaults of others. */
function usedArgs({ args, used }: StageCapture): readonly OutlineArg[] {
  const all = new Set<string>();
  const visit = (name: string): void => {
    if (all.has(name)) return;
    all.add(name);
    for (const other of args.get(name)?.uses ?? []) visit(other);
  };
  for (const name of used) visit(name);
  return [...all].flatMap((name) => {
    const arg = args.get(name);
    if (arg === undefined) return [];
    const { uses: _, ...shown } = arg;
    return [shown];
  });
}

function secretId({ id, source, target }: Mount): string {
  return source || id || posix.basename(target);
}
