import type { Edge, VertexOptions } from '../../llb/types.js';
import type { Platform } from '../../oci/platform.js';
import type { MomentName, Moments, Place } from '../checks/moments.js';
import { placeOf } from '../checks/tell-syntax.js';
import type { LineRange } from '../diagnostic.js';
import type { Expansion } from '../expand/types.js';
import type { StageInstruction } from '../instructions/instruction.js';
import type { Conversion } from './conversion.js';
import { EnvList, splitEnv } from './env-list.js';
import { sound } from './expander.js';
import { DEFAULT_PATH, ImageDraft } from './image-draft.js';
import type { Command, PlannedStage } from './planned-stage.js';
import { platformPrefix } from './step-name.js';

/** A stage while its instructions are applied: the file system so far, the environment, the image config. */
export class StageBuild {
  readonly stage: PlannedStage;
  readonly conversion: Conversion;
  readonly platform: Platform;
  readonly image: ImageDraft;
  edge: Edge | undefined;
  env: EnvList;
  /** Working directory; always absolute. */
  dir: string;
  user: string;
  /** ARGs in the order of their declaration, for the history of RUN. */
  buildArgs: readonly { readonly key: string; readonly value: string | undefined }[];
  /** CMD was set in this stage. */
  cmdSet = false;
  /** WORKDIR was set in this stage or one below it. */
  workdirSet: boolean;
  /** What it stands on was not found: variables may come from there. */
  readonly assumed: boolean;
  /** Paths of this stage that are read; shared with the stages below and above it. */
  readonly paths: Set<string>;
  #step: number;
  #onbuild = false;
  readonly #applied: StageInstruction[] = [];
  #place: Place;

  private constructor(
    stage: PlannedStage,
    conversion: Conversion,
    from: Pick<StageBuild, 'image' | Inherited>,
    step: number,
  ) {
    this.stage = stage;
    this.conversion = conversion;
    this.platform = from.platform;
    this.image = from.image;
    this.edge = from.edge;
    this.env = from.env;
    this.dir = from.dir;
    this.user = from.user;
    this.buildArgs = from.buildArgs;
    this.paths = from.paths;
    this.workdirSet = from.workdirSet;
    this.assumed = from.assumed;
    this.#step = step;
    this.#place = { range: stage.range, comments: [] };
  }

  /** A stage that stands on an image, a context or nothing. */
  static onStart(stage: PlannedStage, conversion: Conversion, edge: Edge | undefined, paths: Set<string>): StageBuild {
    const start = stage.start!;
    const image = new ImageDraft(start.image.finish());
    const platform = start.platform ?? conversion.targetPlatform;
    const unset = { env: new EnvList(), dir: '/', user: '', buildArgs: [], workdirSet: false };
    const fresh = { ...unset, platform, image, edge, paths, assumed: start.assumed ?? false };
    return new StageBuild(stage, conversion, fresh, start.counted ? 1 : 0);
  }

  /** A stage that stands on another one. */
  static onStage(stage: PlannedStage, conversion: Conversion, base: StageBuild): StageBuild {
    return new StageBuild(stage, conversion, { ...picked(base), image: base.image.child() }, 0);
  }

  /** Applies what the image config says before the first instruction. */
  inherit(): void {
    const { config } = this.image;
    if (!config.Env?.some((entry) => splitEnv(entry)[0] === 'PATH') && this.platform.os !== 'windows') {
      config.Env = [...(config.Env ?? []), `PATH=${DEFAULT_PATH}`];
    }
    for (const entry of config.Env ?? []) this.env = this.env.with(...splitEnv(entry));
  }

  /** What follows is done for this instruction. */
  begin({ instruction, onbuild }: Command): void {
    this.#onbuild = onbuild;
    this.#place = placeOf(instruction);
    const shell = (this.image.config.Shell ?? []).length > 0;
    this.tell('apply', { instruction, earlier: this.#applied, shell });
    this.#applied.push(instruction);
  }

  /** Tells whoever watches the conversion. */
  tell<M extends MomentName>(moment: M, facts: Moments[M]): void {
    this.conversion.watcher?.tell(moment, facts, this.#place);
  }

  /** Lines of the instruction that is being applied. */
  get range(): LineRange {
    return this.#place.range;
  }

  expand = (word: string): string => this.#sound(this.conversion.expander.expansion(word, this.env));

  /** Content of a heredoc. */
  expandBody(text: string): string {
    return this.#sound(this.conversion.expander.bodyExpansion(text, this.env));
  }

  #sound(expansion: Expansion): string {
    if (expansion.unmatched.size > 0 && !this.assumed) {
      this.tell('word', { expansion, env: this.env, args: new Set(this.buildArgs.map(({ key }) => key)) });
    }
    return sound(expansion).text;
  }

  /** History entry for an instruction. */
  record(createdBy: string, layer = false): void {
    this.image.record(createdBy, { layer, epoch: this.conversion.epoch });
  }

  /** `[builder 2/5] RUN make`; counts one step on. */
  nextStep(text: string): string {
    this.#step++;
    return this.currentStep(text);
  }

  currentStep(text: string): string {
    return this.#stepName(text, this.#step);
  }

  /** As `nextStep` will name it, without counting. */
  followingStep(text: string): string {
    return this.#stepName(text, this.#step + 1);
  }

  #stepName(text: string, step: number): string {
    const { steps, shown } = this.stage;
    if (steps === 0) return text;
    const platform = this.conversion.options.showPlatform ? `${platformPrefix(this.platform, this.env)} ` : '';
    const name = shown === '' ? '' : `${shown} `;
    const count = String(step).padStart(String(steps).length);
    return `[${platform}${name}${count}/${steps}] ${this.#onbuild ? 'ONBUILD ' : ''}${text}`;
  }

  /** The text of an instruction as it is shown: variables filled in, keyword in upper case. */
  shownText(original: string): string {
    return upperKeyword(this.conversion.expander.label(original, this.env));
  }

  vertexOptions(name: string, range: LineRange): VertexOptions {
    return {
      name,
      location: { file: this.conversion.dockerfile.fileName, ...range },
      ...(this.stage.shown !== '' && { stage: this.stage.shown }),
      ...(this.stage.ignoreCache && { ignoreCache: true }),
    };
  }
}

export function upperKeyword(text: string): string {
  const space = text.indexOf(' ');
  return space < 0 ? text.toUpperCase() : text.slice(0, space).toUpperCase() + text.slice(space);
}

type Inherited = 'platform' | 'edge' | 'env' | 'dir' | 'user' | 'buildArgs' | 'paths' | 'workdirSet' | 'assumed';

function picked(base: StageBuild): Pick<StageBuild, Inherited> {
  const { platform, edge, env, dir, user, buildArgs, paths, workdirSet, assumed } = base;
  return { platform, edge, env, dir, user, buildArgs, paths, workdirSet, assumed };
}
