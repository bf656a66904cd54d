import { Fault, type LineRange } from '../diagnostic.js';
import type { StageInstruction } from '../instructions/instruction.js';
import { withSuggestion } from '../../base/suggest.js';
import { EnvList } from './env-list.js';
import type { Expander } from './expander.js';
import type { Command, PlannedStage } from './planned-stage.js';

export const SCRATCH = 'scratch';

/** The stages of a file in order, followed by what instructions name that is no stage. */
export class StagePlan {
  readonly stages: PlannedStage[] = [];
  readonly #byName = new Map<string, PlannedStage>();
  readonly #expander: Expander;

  constructor(expander: Expander) {
    this.#expander = expander;
  }

  add(stage: PlannedStage): void {
    this.stages.push(stage);
    stage.base = stage.replacedBy === undefined ? this.#byName.get(stage.baseName) : undefined;
    if (stage.name !== '') this.#byName.set(stage.name, stage);
  }

  find(name: string): PlannedStage | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  names(): readonly string[] {
    return this.stages.map((stage) => stage.shown).filter((name) => name !== '');
  }

  /** The stage to build. Throws a Fault. */
  target(name: string | undefined): PlannedStage {
    if (name === undefined || name === '') return this.stages.at(-1)!;
    const found = this.find(name);
    if (found !== undefined) return found;
    const message = `target stage "${name}" could not be found`;
    const known = this.names();
    throw new Fault(
      'target',
      withSuggestion(message, name, known, true),
      known.length > 0 ? `the stages are: ${known.join(', ')}` : undefined,
      'STAGE_NOT_FOUND',
    );
  }

  /** Links `instruction` of `stage` to the stages that it reads. Throws a Fault. */
  link(stage: PlannedStage, instruction: StageInstruction, onbuild: boolean): Command {
    const sources = this.#sourcesOf(instruction);
    for (const source of sources) {
      stage.reads.set(source, instruction.range);
      if (source.implicit && !this.stages.includes(source)) this.add(source);
    }
    return { instruction, sources, onbuild };
  }

  /** Throws a Fault when stages read from each other in a circle. `at` is told where before that. */
  refuseCircles(at: (range: LineRange) => void): void {
    const visited = new Set<PlannedStage>();
    const path = new Set<PlannedStage>();
    const visit = (stage: PlannedStage): LineRange | undefined => {
      if (visited.has(stage)) return undefined;
      visited.add(stage);
      path.add(stage);
      for (const [source, range] of stage.reads) {
        const found = path.has(source) ? range : visit(source);
        if (found !== undefined) return found;
      }
      path.delete(stage);
      return undefined;
    };
    for (const stage of this.stages) {
      const range = visit(stage);
      if (range === undefined) continue;
      at(range);
      throw new Fault('circular-dependency', `circular dependency detected on stage: ${stage.shown}`);
    }
  }

  #sourcesOf(instruction: StageInstruction): readonly PlannedStage[] {
    if (instruction.kind === 'copy') {
      return instruction.from === '' ? [] : [this.#copySource(instruction.from, instruction.range)];
    }
    if (instruction.kind !== 'run') return [];
    return instruction.mounts.map(({ from }) => this.#named(from === '' ? SCRATCH : from, instruction.range));
  }

  #copySource(from: string, range: LineRange): PlannedStage {
    if (this.#expander.word(from, new EnvList()) !== from) {
      throw new Fault(
        'copy-from',
        'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      );
    }
    if (!/^[-+]?\d+$/.test(from)) return this.#named(from, range);
    const stage = this.stages[Number(from)];
    if (stage === undefined)
      throw new Fault(
        'copy-from',
        `invalid stage index ${Number(from)}`,
        `there are ${this.stages.length} stages, counted from 0`,
      );
    return stage;
  }

  #named(name: string, range: LineRange): PlannedStage {
    return this.find(name) ?? implicitStage(name, range);
  }
}

function implicitStage(baseName: string, range: LineRange): PlannedStage {
  return {
    name: '',
    shown: '',
    baseName,
    range,
    platform: undefined,
    implicit: true,
    replacedBy: undefined,
    ignoreCache: false,
    base: undefined,
    commands: [],
    steps: 0,
    reads: new Map(),
    start: undefined,
    triggersAdded: false,
  };
}

/** `target` and everything it needs. */
export function reachableFrom(target: PlannedStage): ReadonlySet<PlannedStage> {
  const reached = new Set<PlannedStage>();
  const visit = (stage: PlannedStage): void => {
    if (reached.has(stage)) return;
    reached.add(stage);
    if (stage.base !== undefined) visit(stage.base);
    for (const source of stage.reads.keys()) visit(source);
  };
  visit(target);
  return reached;
}
