import type { Cancel } from '../../base/abort.js';
import type { Edge, SourceOp } from '../../llb/types.js';
import type { Digest } from '../../oci/digest.js';
import type { ImageConfig } from '../../oci/image-config.js';
import type { Platform } from '../../oci/platform.js';
import type { Watcher } from '../checks/moments.js';

export interface ResolvedBase {
  /** LLB identifier with the digest: `docker-image://ref@digest` or `oci-layout://ref@digest`. */
  readonly source: string;
  readonly digest: Digest;
  readonly config: ImageConfig;
}

/** Where base images come from. */
export interface BaseImages {
  /** The image that `name` stands for, a named context's name included; undefined or BASE_NOT_FOUND when there is none. */
  resolve(name: string, platform: Platform, cancel: Cancel): Promise<ResolvedBase | undefined>;
}

/**
 * What a `--build-context` stands for. `local`: the source `local://<name>`, without the files that `exclude` names.
 * `image`: asked of `BaseImages` under the context's name. `source`: fetched; `shown` is the name of its vertex.
 */
export type NamedContext =
  | { readonly kind: 'local'; readonly exclude?: readonly string[] }
  | { readonly kind: 'image' }
  | { readonly kind: 'source'; readonly op: SourceOp; readonly shown: string }
  | { readonly kind: 'scratch' };

export interface ConvertOptions {
  /** Stage to build; default the last one. */
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** What is built for; default `buildPlatform`, and then the image keeps what its base says. */
  readonly platform?: Platform;
  readonly buildPlatform: Platform;
  readonly noCache?: boolean;
  /** Stages that are run again. */
  readonly noCacheFilter?: readonly string[];
  /** Seconds; the build-arg SOURCE_DATE_EPOCH wins. */
  readonly sourceDateEpoch?: number;
  /** By name as BuildKit normalizes it: `node`, `node:20`, `node::linux/arm64`. */
  readonly contexts?: ReadonlyMap<string, NamedContext>;
  /** The main context; default the source `local://context`. */
  readonly mainContext?: Edge;
  /** Patterns of the ignore file of the main context. */
  readonly contextExclude?: readonly string[];
  readonly hostname?: string;
  /** For RUN without `--network`. */
  readonly network?: 'sandbox' | 'host' | 'none';
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Bytes. */
  readonly shmSize?: number;
  /** Several platforms are built: the names of vertices say which. */
  readonly showPlatform?: boolean;
  /** Is told what is read and expanded, each thing once. */
  readonly watcher?: Watcher;
  /** Nothing is built: what this version cannot do is passed over, and stages can be looked at that the target does not need. */
  readonly watchOnly?: 'needed-stages' | 'all-stages';
  /** A base that cannot be found fails nothing; what it would bring is not known then. */
  readonly assumeBases?: boolean;
}

/** What a stage came to. `edge` undefined: an empty file system. */
export interface ConvertedStage {
  readonly index: number;
  /** As shown: the name, `stage-N`, or '' for the only stage. */
  readonly name: string;
  readonly edge: Edge | undefined;
  readonly config: ImageConfig;
}

export interface Converted {
  readonly target: Edge | undefined;
  readonly config: ImageConfig;
  /** Config of the image that the target stands on, through however many stages. */
  readonly baseConfig: ImageConfig | undefined;
  readonly platform: Platform;
  /** Seconds, from SOURCE_DATE_EPOCH. */
  readonly epoch: number | undefined;
  /** The stages that the target needs. */
  readonly stages: readonly ConvertedStage[];
}
