import type { Edge } from '../../llb/types.js';
import type { Platform } from '../../oci/platform.js';
import type { Watcher } from '../checks/moments.js';
import type { PatternMatcher } from '../ignore/pattern-matcher.js';
import type { Dockerfile } from '../parse.js';
import type { EnvList } from './env-list.js';
import type { Expander } from './expander.js';
import type { ConvertOptions } from './options.js';
import type { PlannedStage } from './planned-stage.js';
import type { StageBuild } from './stage-build.js';

/** What every instruction of a conversion can look at. */
export interface Conversion {
  readonly dockerfile: Dockerfile;
  readonly options: ConvertOptions;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly globalArgs: EnvList;
  readonly expander: Expander;
  readonly targetPlatform: Platform;
  /** Seconds. */
  readonly epoch: number | undefined;
  readonly proxyEnv: Readonly<Record<string, string>> | undefined;
  /** The build context. */
  readonly context: Edge;
  /** Paths of the build context that are read, absolute. */
  readonly contextPaths: Set<string>;
  readonly watcher: Watcher | undefined;
  /** What the ignore file leaves out of the build context; undefined for nothing, and when nobody watches. */
  readonly ignore: PatternMatcher | undefined;
  /** The stages that are there already; a stage that comes later is not. */
  readonly builds: ReadonlyMap<PlannedStage, StageBuild>;
}
