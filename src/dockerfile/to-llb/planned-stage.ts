import type { LineRange } from '../diagnostic.js';
import type { StageInstruction } from '../instructions/instruction.js';
import type { Edge } from '../../llb/types.js';
import type { ImageConfig } from '../../oci/image-config.js';
import type { Platform } from '../../oci/platform.js';
import type { ImageDraft } from './image-draft.js';

/** An instruction with the stages that it reads from, one per `--from` or `--mount`. */
export interface Command {
  readonly instruction: StageInstruction;
  readonly sources: readonly PlannedStage[];
  /** It came from the ONBUILD of a base image. */
  readonly onbuild: boolean;
}

/** What a stage stands on when it is not another stage. Local contexts become an edge once the paths are known. */
export interface StageStart {
  readonly root:
    | { readonly kind: 'edge'; readonly edge: Edge | undefined }
    | { readonly kind: 'local'; readonly name: string };
  readonly image: ImageDraft;
  /** Config of the base image as it was found. */
  readonly baseConfig?: ImageConfig;
  readonly platform: Platform | undefined;
  /** The base was not found; nothing is known of its config. */
  readonly assumed?: true;
  /** The base is a vertex that counts as step 1. */
  readonly counted: boolean;
}

/** A stage, or an image or context that an instruction names as if it were one. */
export interface PlannedStage {
  /** Name in lower case; '' without one. */
  readonly name: string;
  /** How it is shown. */
  shown: string;
  /** Expanded name of what it stands on. */
  readonly baseName: string;
  readonly range: LineRange;
  /** `--platform` of its FROM. */
  readonly platform: Platform | undefined;
  /** Named by an instruction only; it has no FROM of its own. */
  readonly implicit: boolean;
  /** A named context stands in for the whole stage. */
  readonly replacedBy: string | undefined;
  readonly ignoreCache: boolean;
  base: PlannedStage | undefined;
  commands: readonly Command[];
  /** Number of steps shown; 0 shows none. */
  steps: number;
  /** Stages that are read from, and where. */
  readonly reads: Map<PlannedStage, LineRange>;
  start: StageStart | undefined;
  triggersAdded: boolean;
}
