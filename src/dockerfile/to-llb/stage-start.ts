import type { Cancel } from '../../base/abort.js';
import { BuildError, type ErrorCode } from '../../base/errors.js';
import type { Edge } from '../../llb/types.js';
import { makeVertex } from '../../llb/vertex.js';
import type { ImageConfig } from '../../oci/image-config.js';
import { formatPlatform, type Platform } from '../../oci/platform.js';
import { formatReference, parseReference, withDefaultTag } from '../../oci/reference.js';
import { Fault } from '../diagnostic.js';
import { suggestion } from '../../base/suggest.js';
import { findContext, type FoundContext } from './contexts.js';
import { EnvList } from './env-list.js';
import { ImageDraft } from './image-draft.js';
import type { BaseImages, ConvertOptions, ResolvedBase } from './options.js';
import type { PlannedStage, StageStart } from './planned-stage.js';
import { SCRATCH } from './stage-plan.js';
import { platformPrefix } from './step-name.js';

/** Finds what stages stand on when it is not another stage. */
export class StageStarts {
  readonly #options: ConvertOptions;
  readonly #bases: BaseImages;
  readonly #targetPlatform: Platform;
  readonly #fileName: string;
  readonly #found = new Map<string, Promise<ResolvedBase | undefined>>();

  constructor(options: ConvertOptions, bases: BaseImages, targetPlatform: Platform, fileName: string) {
    this.#options = options;
    this.#bases = bases;
    this.#targetPlatform = targetPlatform;
    this.#fileName = fileName;
  }

  /** Looks nothing up that is not needed. `names` are for suggestions. Throws a Fault. */
  async resolve(
    stage: PlannedStage,
    needed: boolean,
    names: readonly string[],
    cancel: Cancel,
  ): Promise<StageStart | undefined> {
    const target = this.#targetPlatform;
    if (stage.baseName === SCRATCH && stage.replacedBy === undefined) {
      return { root: nothing, image: ImageDraft.empty(target), platform: target, counted: false };
    }
    requireReference(stage.baseName);
    if (!needed) return undefined;
    const platform = stage.platform ?? target;
    if (stage.replacedBy !== undefined) {
      const context = findContext(this.#options, stage.name, platform);
      const start = await this.#fromContext(context!, platform, cancel);
      return start.baseConfig === undefined ? { ...start, image: blank(), platform: stage.platform } : start;
    }
    const context = findContext(this.#options, stage.baseName, platform);
    if (context !== undefined) return this.#fromContext(context, platform, cancel);
    const base = await this.#lookUp(stage, platform, names, cancel);
    if (base === undefined) {
      return { root: nothing, image: ImageDraft.empty(platform), platform, counted: false, assumed: true };
    }
    const edge = hasFiles(base.config) ? this.#imageSource(stage, base, platform) : undefined;
    return {
      root: { kind: 'edge', edge },
      image: new ImageDraft(base.config),
      baseConfig: base.config,
      platform,
      counted: edge !== undefined,
    };
  }

  async #fromContext({ name, context }: FoundContext, platform: Platform, cancel: Cancel): Promise<StageStart> {
    const image = ImageDraft.empty(platform);
    if (context.kind === 'scratch') return { root: nothing, image, platform, counted: false };
    if (context.kind === 'local') return { root: { kind: 'local', name }, image, platform, counted: false };
    if (context.kind === 'source') {
      const vertex = makeVertex(context.op, [], this.#options.buildPlatform, { name: context.shown });
      return { root: { kind: 'edge', edge: { vertex, output: 0 } }, image, platform, counted: false };
    }
    const base = await this.#find(name, platform, cancel);
    if (base === undefined) throw new Fault('context', `context ${name}: not found`, undefined, 'BASE_NOT_FOUND');
    const shown = `[context ${name}] ${shortSource(base)}`;
    const edge = hasFiles(base.config) ? imageEdge(base, platform, shown) : undefined;
    const root = { kind: 'edge', edge } as const;
    return { root, image: new ImageDraft(base.config), baseConfig: base.config, platform, counted: false };
  }

  /** Asks once for what several stages stand on. */
  #find(name: string, platform: Platform, cancel: Cancel): Promise<ResolvedBase | undefined> {
    const key = `${formatPlatform(platform)} ${name}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      found = this.#bases.resolve(name, platform, cancel);
      this.#found.set(key, found);
    }
    return found;
  }

  async #lookUp(
    stage: PlannedStage,
    platform: Platform,
    names: readonly string[],
    cancel: Cancel,
  ): Promise<ResolvedBase | undefined> {
    let cause: BuildError | undefined;
    try {
      const base = await this.#find(stage.baseName, platform, cancel);
      if (base !== undefined) return base;
    } catch (error) {
      if (!(error instanceof BuildError) || !UNRESOLVED.includes(error.code)) throw error;
      cause = error;
    }
    if (this.#options.assumeBases) return undefined;
    const full = formatReference(withDefaultTag(parseReference(stage.baseName)));
    const isMissing = cause === undefined || cause.code === 'BASE_NOT_FOUND';
    const near = isMissing ? suggestion(stage.baseName, [...names, ...COMMON_IMAGES], true) : undefined;
    throw new Fault(
      'base-not-found',
      `${stage.baseName}: failed to resolve source metadata for ${full}: ${cause?.message ?? `${full}: not found`}` +
        (near === undefined ? '' : ` (did you mean ${near}?)`),
      cause?.hint,
      cause?.code ?? 'BASE_NOT_FOUND',
    );
  }

  #imageSource(stage: PlannedStage, base: ResolvedBase, platform: Platform): Edge {
    const text = `FROM ${shortSource(base)}`;
    const shownPlatform = this.#options.showPlatform ? `${platformPrefix(platform, new EnvList())} ` : '';
    const shownStage = stage.shown === '' ? '' : `${stage.shown} `;
    const count = '1'.padStart(String(stage.steps).length);
    const name = stage.steps === 0 ? text : `[${shownPlatform}${shownStage}${count}/${stage.steps}] ${text}`;
    const location = { file: this.#fileName, ...stage.range };
    return imageEdge(base, platform, name, { location, ...(stage.shown !== '' && { stage: stage.shown }) });
  }
}

/** Nothing is known of a base then, which the author of the file should see with its line. */
const UNRESOLVED: readonly ErrorCode[] = ['BASE_NOT_FOUND', 'REGISTRY_DENIED', 'REGISTRY_FAILED'];

const nothing = { kind: 'edge', edge: undefined } as const;

const COMMON_IMAGES = ['alpine', 'busybox', 'centos', 'debian', 'golang', 'ubuntu', 'fedora'].flatMap((name) => [
  name,
  `${name}:latest`,
]);

function imageEdge(base: ResolvedBase, platform: Platform, name: string, options: object = {}): Edge {
  const op = { kind: 'source', identifier: base.source, attrs: {} } as const;
  return { vertex: makeVertex(op, [], platform, { name, ...options }), output: 0 };
}

function shortSource(base: ResolvedBase): string {
  return base.source.replace(/^[a-z-]+:\/\//, '');
}

/** An image without layers is an empty file system. */
function hasFiles(config: ImageConfig): boolean {
  return config.rootfs.diff_ids.length > 0 || (config.history ?? []).some((entry) => entry.empty_layer !== true);
}

/** What a stage has that a directory stands in for: not even a PATH. */
function blank(): ImageDraft {
  return new ImageDraft({ architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [] } });
}

/** Throws a Fault, in BuildKit's words, for a name that cannot be that of an image. */
function requireReference(name: string): void {
  try {
    parseReference(name);
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'REFERENCE_INVALID') throw error;
    const repository = name.replace(/@.*$/, '').replace(/:[^/]*$/, '');
    const why =
      /^[A-Za-z0-9_.-]+$/.test(repository) && repository !== repository.toLowerCase()
        ? `: repository name (library/${repository}) must be lowercase`
        : '';
    const message = `failed to parse stage name "${name}": invalid reference format${why}`;
    throw new Fault('reference', message, error.hint, 'REFERENCE_INVALID');
  }
}
