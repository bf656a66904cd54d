import { allOrAbort, type Cancel } from '../../base/abort.js';
import { BuildError } from '../../base/errors.js';
import type { Edge } from '../../llb/types.js';
import type { Platform } from '../../oci/platform.js';
import { DockerfileError, Fault, type LineRange } from '../diagnostic.js';
import { parseTrigger, requireValid, type Dockerfile } from '../parse.js';
import { inFile, tellSyntax } from '../checks/tell-syntax.js';
import { PatternMatcher } from '../ignore/pattern-matcher.js';
import type { ArgDefinition } from '../instructions/arg.js';
import type { Conversion } from './conversion.js';
import type { EnvList } from './env-list.js';
import { Expander } from './expander.js';
import { predefinedArgs, proxyEnv, valueIn, withGlobalArgs } from './global-args.js';
import { applyInstruction } from './instruction.js';
import type { BaseImages, Converted, ConvertOptions } from './options.js';
import { planStage } from './plan-stages.js';
import type { PlannedStage } from './planned-stage.js';
import { copyOfLocal, localSource } from './sources.js';
import { resolveEpoch } from './source-date-epoch.js';
import { StageBuild } from './stage-build.js';
import { reachableFrom, StagePlan } from './stage-plan.js';
import { StageStarts } from './stage-start.js';
import { setUser } from './user.js';
import { setWorkdir } from './workdir.js';

const EPOCH = 'SOURCE_DATE_EPOCH';

/**
 * Makes the graph for the target stage, and the config of its image. Stages that the target does not need are planned,
 * but neither looked up nor converted. Throws a DockerfileError; its code says what failed.
 */
export async function convertDockerfile(
  dockerfile: Dockerfile,
  options: ConvertOptions,
  bases: BaseImages,
  cancel: Cancel,
): Promise<Converted> {
  return new Converter(dockerfile, options, bases).convert(cancel);
}

class Converter {
  readonly #dockerfile: Dockerfile;
  readonly #options: ConvertOptions;
  readonly #expander: Expander;
  readonly #plan: StagePlan;
  readonly #starts: StageStarts;
  readonly #targetPlatform: Platform;
  #buildArgs: Readonly<Record<string, string>>;
  #range: LineRange;

  constructor(dockerfile: Dockerfile, options: ConvertOptions, bases: BaseImages) {
    this.#dockerfile = dockerfile;
    this.#options = options;
    this.#expander = new Expander(dockerfile.escape);
    this.#plan = new StagePlan(this.#expander);
    this.#targetPlatform = options.platform ?? options.buildPlatform;
    this.#starts = new StageStarts(options, bases, this.#targetPlatform, dockerfile.fileName);
    const { sourceDateEpoch } = options;
    this.#buildArgs = {
      ...(sourceDateEpoch !== undefined && { [EPOCH]: String(sourceDateEpoch) }),
      ...options.buildArgs,
    };
    const lines = dockerfile.source.split('\n').length;
    this.#range = { startLine: lines, endLine: lines };
  }

  async convert(cancel: Cancel): Promise<Converted> {
    const { watcher } = this.#options;
    if (watcher) tellSyntax(this.#dockerfile, watcher);
    requireValid(this.#dockerfile);
    try {
      return await this.#convert(cancel);
    } catch (error) {
      throw this.#located(error, this.#range);
    }
  }

  /** A failure with the lines that it belongs to; what is no failure of the build stays as it is. */
  #located(error: unknown, range: LineRange): unknown {
    if (error instanceof DockerfileError) return error;
    if (!(error instanceof Fault) && !(error instanceof BuildError)) return error;
    const rule = error instanceof Fault ? error.rule : error.code.toLowerCase().replaceAll('_', '-');
    const { fileName, source } = this.#dockerfile;
    const message = error.code === 'UNSUPPORTED' ? `${fileName}:${range.startLine}: ${error.message}` : error.message;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    const diagnostic = { severity: 'error', rule, message, range, ...hint } as const;
    return new DockerfileError(fileName, source, [diagnostic], { code: error.code, cause: error });
  }

  async #convert(cancel: Cancel): Promise<Converted> {
    const { stages } = this.#dockerfile;
    if (stages.length === 0) throw new Fault('empty', 'dockerfile contains no stages to build', 'start one with FROM');
    let globalArgs = this.#globalArgs();
    const epoch = this.#epoch(globalArgs);
    globalArgs = this.#withEpoch(globalArgs, epoch);
    const declared = new Set(this.#dockerfile.globalArgs.flatMap(({ args }) => args.map(({ key }) => key)));
    for (const stage of stages) {
      this.#range = stage.from.range;
      planStage(this.#plan, stage, { args: globalArgs, declared }, this.#expander, this.#options, this.#targetPlatform);
    }
    const target = this.#plan.target(this.#options.target);
    this.#options.watcher?.tell('target', target, inFile(target));
    this.#link();
    const reachable = await this.#resolve(target, cancel);
    const { builds, contextPaths } = this.#build(reachable, target, globalArgs, epoch, undefined);
    const final = this.#build(reachable, target, globalArgs, epoch, { builds, contextPaths });
    return this.#result(final.builds, target, epoch);
  }

  #globalArgs(): EnvList {
    const { stages, globalArgs } = this.#dockerfile;
    const targetStage = this.#options.target || stages.at(-1)!.from.name;
    const predefined = predefinedArgs(this.#options.buildPlatform, this.#targetPlatform, targetStage, this.#buildArgs);
    this.#tellDefaultBases(predefined);
    const found = (arg: ArgDefinition, value: string | undefined, uses: ReadonlySet<string>): void => {
      const range = this.#range;
      this.#options.watcher?.tell('globalArg', { arg, value, uses, range }, inFile({ range }));
    };
    const listener = { at: ({ range }: { readonly range: LineRange }) => void (this.#range = range), found };
    return withGlobalArgs(predefined, globalArgs, this.#buildArgs, this.#expander, listener);
  }

  /** Tells what the stages stand on when no build-arg is given; up to the first that cannot be expanded. */
  #tellDefaultBases(predefined: EnvList): void {
    const { watcher } = this.#options;
    if (watcher === undefined) return;
    const { stages, globalArgs } = this.#dockerfile;
    try {
      const defaults = withGlobalArgs(predefined, globalArgs, {}, this.#expander);
      for (const { from } of stages) {
        const name = this.#expander.word(from.base, defaults);
        watcher.tell('defaultBase', { written: from.base, name }, inFile(from));
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error; // most probably the build fails with it too
    }
  }

  #epoch(globalArgs: EnvList): number | undefined {
    const value = valueIn(this.#buildArgs, EPOCH) ?? globalArgs.get(EPOCH) ?? '';
    return resolveEpoch(value, this.#dockerfile.stages, globalArgs, this.#expander, this.#options);
  }

  /** What the stages see as SOURCE_DATE_EPOCH is the time, however it was given. */
  #withEpoch(globalArgs: EnvList, epoch: number | undefined): EnvList {
    const { [EPOCH]: given, ...others } = this.#buildArgs;
    if (given !== undefined) this.#buildArgs = epoch === undefined ? others : { ...others, [EPOCH]: String(epoch) };
    if (globalArgs.get(EPOCH) === undefined) return globalArgs;
    return epoch === undefined ? globalArgs.without(EPOCH) : globalArgs.with(EPOCH, String(epoch));
  }

  /** Connects each stage with those that its instructions read. */
  #link(): void {
    const own = this.#dockerfile.stages.map((stage, i) => [stage, this.#plan.stages[i]!] as const);
    for (const [stage, planned] of own) {
      planned.commands = stage.instructions.map((instruction) => {
        this.#range = instruction.range;
        return this.#plan.link(planned, instruction, false);
      });
    }
    this.#plan.refuseCircles((range) => (this.#range = range));
    if (this.#plan.stages.length === 1) this.#plan.stages[0]!.shown = '';
  }

  /** Finds the bases of the stages that are needed; triggers of a base can need further ones. */
  async #resolve(target: PlannedStage, cancel: Cancel): Promise<ReadonlySet<PlannedStage>> {
    for (;;) {
      const reachable = this.#options.watchOnly === 'all-stages' ? new Set(this.#plan.stages) : reachableFrom(target);
      const names = this.#plan.names();
      const open = this.#plan.stages.filter((stage) => stage.base === undefined && stage.start === undefined);
      await allOrAbort(
        cancel.signal,
        open.map((stage) => async (signal) => {
          try {
            stage.start = await this.#starts.resolve(stage, reachable.has(stage), names, { signal });
          } catch (error) {
            throw this.#located(error, stage.range);
          }
        }),
      );
      for (const stage of open) this.#tellBase(stage);
      if (!this.#addTriggers(reachable)) return reachable;
    }
  }

  /** A context that stands in for an image is what was asked for, whatever its platform. */
  #tellBase({ start, baseName, range }: PlannedStage): void {
    const { watcher } = this.#options;
    const place = inFile({ range });
    if (start?.assumed) watcher?.tell('baseAssumed', baseName, place);
    if (start?.baseConfig === undefined || !start.counted) return;
    const { os, architecture, variant } = start.baseConfig;
    const actual = { os, architecture, ...(variant && { variant }) };
    const facts = { name: baseName, expected: start.platform ?? this.#targetPlatform, actual };
    watcher?.tell('base', facts, place);
  }

  /** Puts the ONBUILD instructions of each base in front; true when they read from other stages. */
  #addTriggers(reachable: ReadonlySet<PlannedStage>): boolean {
    let added = false;
    for (const stage of this.#plan.stages.filter((one) => reachable.has(one))) {
      if (stage.triggersAdded) continue;
      stage.triggersAdded = true;
      this.#range = stage.range;
      const commands = triggersOf(stage).map((expression) =>
        this.#plan.link(stage, parseTrigger(expression, stage.range), true),
      );
      if (stage.start !== undefined) delete stage.start.image.config.OnBuild;
      stage.commands = [...commands, ...stage.commands];
      if (stage.replacedBy === undefined && !stage.implicit) stage.steps += commands.length;
      added ||= commands.some(({ sources }) => sources.length > 0);
    }
    return added;
  }

  /**
   * Applies the instructions of the needed stages. Which paths of a context are read is only known afterwards, and is
   * part of the context's source; so it is done twice, the second time with the paths of the first.
   */
  #build(
    reachable: ReadonlySet<PlannedStage>,
    target: PlannedStage,
    globalArgs: EnvList,
    epoch: number | undefined,
    known:
      | { readonly builds: ReadonlyMap<PlannedStage, StageBuild>; readonly contextPaths: Iterable<string> }
      | undefined,
  ): { readonly builds: ReadonlyMap<PlannedStage, StageBuild>; readonly contextPaths: Set<string> } {
    const builds = new Map<PlannedStage, StageBuild>();
    const contextPaths = new Set<string>();
    const exclude = this.#options.contextExclude ?? [];
    const conversion: Conversion = {
      dockerfile: this.#dockerfile,
      options: this.#options,
      buildArgs: this.#buildArgs,
      globalArgs,
      expander: this.#expander,
      targetPlatform: this.#targetPlatform,
      epoch,
      proxyEnv: proxyEnv(this.#buildArgs),
      context:
        this.#options.mainContext ??
        this.#local('context', '[internal] load build context', exclude, known?.contextPaths ?? []),
      contextPaths,
      // Everything is done twice, but told once.
      watcher: known === undefined ? this.#options.watcher : undefined,
      ignore: known === undefined ? this.#ignore() : undefined,
      builds,
    };
    const stages = this.#plan.stages.filter((stage) => reachable.has(stage));
    const begin = (stage: PlannedStage): StageBuild => {
      const edge = this.#rootOf(stage, known?.builds.get(stage)?.paths ?? []);
      return StageBuild.onStart(stage, conversion, edge, new Set());
    };
    for (const stage of stages) if (stage.implicit || stage.replacedBy !== undefined) builds.set(stage, begin(stage));
    for (const stage of stages) {
      if (builds.has(stage)) continue;
      this.#range = stage.range;
      const base = stage.base && builds.get(stage.base);
      const build = base ? StageBuild.onStage(stage, conversion, base) : begin(stage);
      // What is only read from stays the directory that it is; a stage needs a file system to write onto.
      build.edge = build.edge && copyOfLocal(build.edge, build.platform);
      // In the map before its instructions, as a stage that copies from itself was refused before.
      builds.set(stage, build);
      this.#apply(build);
    }
    builds.get(target)!.paths.add('/');
    return { builds, contextPaths };
  }

  #apply(build: StageBuild): void {
    build.inherit();
    const { WorkingDir: dir, User: user } = build.image.config;
    if (dir) setWorkdir(build, dir);
    if (user) setUser(build, user);
    for (const command of build.stage.commands) {
      this.#range = command.instruction.range;
      try {
        applyInstruction(build, command);
      } catch (error) {
        if (!this.#options.watchOnly || !(error instanceof Fault) || error.code !== 'UNSUPPORTED') throw error;
      }
    }
  }

  #ignore(): PatternMatcher | undefined {
    const { watcher, contextExclude = [] } = this.#options;
    if (watcher === undefined || contextExclude.length === 0) return undefined;
    try {
      return new PatternMatcher(contextExclude);
    } catch (error) {
      if (error instanceof BuildError) return undefined; // told when the context is read
      throw error;
    }
  }

  #rootOf(stage: PlannedStage, paths: Iterable<string>): Edge | undefined {
    const { root } = stage.start!;
    if (root.kind === 'edge') return root.edge;
    const context = this.#options.contexts?.get(root.name);
    const exclude = context?.kind === 'local' ? (context.exclude ?? []) : [];
    return this.#local(root.name, `[context ${root.name}] load from client`, exclude, paths);
  }

  #local(name: string, shown: string, exclude: readonly string[], paths: Iterable<string>): Edge {
    return localSource(name, this.#options.buildPlatform, shown, exclude, paths);
  }

  #result(builds: ReadonlyMap<PlannedStage, StageBuild>, target: PlannedStage, epoch: number | undefined): Converted {
    const { labels, platform } = this.#options;
    const { image, edge, platform: targetPlatform } = builds.get(target)!;
    if (labels) image.config.Labels = { ...image.config.Labels, ...labels };
    if (platform || image.os === '') image.setPlatform(this.#targetPlatform);
    image.normalizePlatform();
    const config = image.finish();
    const { os, architecture, variant } = config;
    const all = this.#plan.stages.map((stage, index) => ({ index, name: stage.shown, build: builds.get(stage) }));
    return {
      target: edge && copyOfLocal(edge, targetPlatform),
      config,
      baseConfig: rootStart(target)?.baseConfig,
      platform: { os, architecture, ...(variant && { variant }) },
      epoch,
      stages: all.flatMap(({ index, name, build }) =>
        build && !build.stage.implicit ? [{ index, name, edge: build.edge, config: build.image.finish() }] : [],
      ),
    };
  }
}

/** What the base of a stage stored for it: an image in its config, a stage in its instructions. */
function triggersOf(stage: PlannedStage): readonly string[] {
  const stored = stage.start?.image.config.OnBuild ?? [];
  const own = (stage.base?.commands ?? []).flatMap(({ instruction }) =>
    instruction.kind === 'onbuild' ? [instruction.expression] : [],
  );
  return [...stored, ...own];
}

function rootStart(stage: PlannedStage): PlannedStage['start'] {
  return stage.base === undefined ? stage.start : rootStart(stage.base);
}
