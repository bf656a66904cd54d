import type { JobContext } from '../job/context.js';
import type { Reference } from '../oci/reference.js';
import type { ExportTreeRequest, RefId } from '../worker/machine.js';
import type { Store } from '../store/store.js';
import type { Compression } from './layer-form.js';
import type { Annotations, BuiltImage, MadeImage } from './make-image.js';
import type { Provenance } from './provenance/attest.js';

/** `-o`, read and checked: one member a kind of output. */
export type OutputSpec =
  | { readonly type: 'image'; readonly names: readonly string[]; readonly ociArtifact?: boolean }
  | {
      readonly type: 'oci' | 'docker';
      /** Absent for `docker` alone: the image is handed to a container engine. */
      readonly dest?: string;
      readonly tar: boolean;
      readonly compression: Compression;
      readonly compressionLevel: number;
      readonly forceCompression: boolean;
      /** Times later than SOURCE_DATE_EPOCH become it, in the layers that the build made. */
      readonly rewriteTimestamp: boolean;
      readonly names: readonly string[];
      /** An attestation is an artifact that names the image as its subject, not something like an image. Default: true. */
      readonly ociArtifact?: boolean;
    }
  | { readonly type: 'local' | 'tar'; readonly dest: string };

/** What an exporter is given. */
export interface ExportContext {
  /** The file system of the result. */
  readonly ref: RefId;
  /** The image, and how it stands in the store; made when first asked for. */
  readonly image: () => Promise<{ readonly built: BuiltImage; readonly made: MadeImage }>;
  readonly tags: readonly Reference[];
  readonly annotations: Annotations;
  /** What images and files are to carry. */
  readonly provenance?: Provenance;
  readonly store: Store;
  /** Seconds since 1970 in place of the clock (SOURCE_DATE_EPOCH). */
  readonly epoch: number | undefined;
  readonly exportTree: (request: ExportTreeRequest) => Promise<void>;
}

/** Turns the result of a build into something for use elsewhere. */
export interface Exporter {
  /** Gives the image in the form that it was exported in; undefined for what is no image. */
  export(context: ExportContext, job: JobContext): Promise<MadeImage | undefined>;
}
