import type { Platform } from '../../oci/platform.js';
import type { LineRange } from '../diagnostic.js';
import type { Expansion, Variables } from '../expand/types.js';
import type { PatternMatcher } from '../ignore/pattern-matcher.js';
import type { ArgDefinition } from '../instructions/arg.js';
import type { Instruction, StageInstruction } from '../instructions/instruction.js';
import type { Mount } from '../instructions/mount.js';
import type { Stage } from '../parse.js';
import type { PlannedStage } from '../to-llb/planned-stage.js';

/**
 * What reading and converting a Dockerfile tells those who watch it, in this order and as it happens. The checks and the
 * outline are made of nothing else.
 */
export interface Moments {
  /** An instruction went on over an empty line. */
  readonly emptyContinuation: null;
  /** An instruction of the file was understood. */
  readonly instruction: Instruction;
  /** All of them were. */
  readonly stages: readonly Stage[];
  /** The base of a stage as it is when every ARG has its default. */
  readonly defaultBase: { readonly written: string; readonly name: string };
  /** An ARG before the first FROM has its value. `uses`: variables of its default. */
  readonly globalArg: {
    readonly arg: ArgDefinition;
    readonly value: string | undefined;
    readonly uses: ReadonlySet<string>;
    readonly range: LineRange;
  };
  /** Image name or `--platform` of a FROM is expanded; `declared`: global ARGs, with a value or without. */
  readonly from: {
    readonly part: 'base' | 'platform';
    readonly written: string;
    readonly expansion: Expansion;
    readonly globalArgs: Variables;
    readonly declared: ReadonlySet<string>;
    readonly stageName: string;
  };
  /** A stage has its place in the plan. `args`: the variables that its FROM uses. */
  readonly planned: {
    readonly stage: PlannedStage;
    readonly args: ReadonlySet<string>;
    readonly description: string | undefined;
  };
  /** The stage that is asked for. */
  readonly target: PlannedStage;
  /** The image was not found, and an empty one of which nothing is known stands in for it. */
  readonly baseAssumed: string;
  /** The image that a stage stands on was found. */
  readonly base: { readonly name: string; readonly expected: Platform; readonly actual: Platform };
  /** An argument of an instruction is expanded. */
  readonly word: { readonly expansion: Expansion; readonly env: Variables; readonly args: ReadonlySet<string> };
  /** An instruction is about to be applied. `earlier`: those of its stage before it; `shell`: a SHELL is set. */
  readonly apply: {
    readonly instruction: StageInstruction;
    readonly earlier: readonly StageInstruction[];
    readonly shell: boolean;
  };
  /** ARG and ENV give names values. */
  readonly name: { readonly keyword: 'ARG' | 'ENV'; readonly key: string };
  /** `inherited`: the value is that of the global ARG. */
  readonly arg: {
    readonly stage: PlannedStage;
    readonly arg: ArgDefinition;
    readonly value: string | undefined;
    readonly inherited: boolean;
    readonly range: LineRange;
  };
  readonly mount: { readonly stage: PlannedStage; readonly mount: Mount; readonly range: LineRange };
  /** `first`: neither this stage nor one below it has set a WORKDIR before. */
  readonly workdir: { readonly path: string; readonly first: boolean; readonly os: string };
  /** Ports as they stand after expansion. */
  readonly expose: readonly string[];
  /** A COPY or ADD reads a path of the build context. */
  readonly contextPath: {
    readonly kind: 'copy' | 'add';
    readonly path: string;
    readonly ignore: PatternMatcher | undefined;
  };
}

export type MomentName = keyof Moments;

/** The lines that a moment belongs to, and the comments above them. */
export interface Place {
  readonly range: LineRange;
  readonly comments: readonly string[];
}

export interface Watcher {
  tell<M extends MomentName>(moment: M, facts: Moments[M], place: Place): void;
}
