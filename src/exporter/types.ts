import type { JobContext } from '../job/context.js';
import type { Platform } from '../oci/platform.js';
import type { Reference } from '../oci/reference.js';
import type { Registries } from '../registry/types.js';
import type { ExportTreeRequest, RefId } from '../worker/machine.js';
import type { Store } from '../store/store.js';
import type { ScopedAnnotation } from './annotations.js';
import type { Compression } from './layer-form.js';
import type { BuiltImage, MadeImage } from './make-image.js';
import type { Provenance } from './provenance/attest.js';
import type { Pushed } from './push-destinations.js';

/** In what form an image leaves. */
export interface ImageForm {
  /** In place of the names that the build gives; in the store, in addition to them. */
  readonly names: readonly string[];
  /** Of which family the media types are. */
  readonly mediaTypes: 'oci' | 'docker';
  /** An attestation is an artifact that names the image as its subject, not something like an image. */
  readonly ociArtifact: boolean;
  readonly compression: Compression;
  readonly compressionLevel: number;
  readonly forceCompression: boolean;
  /** Times later than SOURCE_DATE_EPOCH become it, in the layers that the build made. */
  readonly rewriteTimestamp: boolean;
  /** In addition to those of the build. */
  readonly annotations: readonly ScopedAnnotation[];
}

/** An image that stays in the store, is pushed, or both. */
export interface ImageOutput extends ImageForm {
  readonly type: 'image';
  /** It is listed in the store under its names. */
  readonly store: boolean;
  readonly push: boolean;
  /** No tag is moved by the push. */
  readonly pushByDigest: boolean;
  /** Plain HTTP and unverified TLS are taken too. */
  readonly insecure: boolean;
  /** A tag that a registry refuses to move, because it moves none, stays what it was. */
  readonly keepsImmutable?: boolean;
  /** It is also listed under `name@digest`. */
  readonly canonicalName: boolean;
  /** Without a name it is listed under `prefix@digest`. */
  readonly danglingNamePrefix?: string;
}

export interface ArchiveOutput extends ImageForm {
  readonly type: 'oci' | 'docker';
  readonly dest: string;
  /** False for a directory. */
  readonly tar: boolean;
}

/** Handed to a container engine. */
export interface EngineOutput extends ImageForm {
  readonly type: 'engine';
}

interface FilesForm {
  readonly dest: string;
  /** All of it in a directory that is called by the platform. */
  readonly platformSplit: boolean;
  /** Before the name of the file that an attestation is. */
  readonly attestationPrefix: string;
}

export type FilesOutput =
  /** `delete`: what the result does not have goes from the directory. */
  (FilesForm & { readonly type: 'local'; readonly mode: 'copy' | 'delete' }) | (FilesForm & { readonly type: 'tar' });

/** `-o`, read and checked: one member a kind of output. */
export type OutputSpec =
  | ImageOutput
  | ArchiveOutput
  | EngineOutput
  | FilesOutput
  /** The steps are run, and their results stay for the next build. */
  | { readonly type: 'cacheonly' };

/** What an exporter is given. */
export interface ExportContext {
  /** The file system of the result. */
  readonly ref: RefId;
  /** Of the result. */
  readonly platform: Platform;
  /** The image, and how it stands in the store; made when first asked for. */
  readonly image: () => Promise<{ readonly built: BuiltImage; readonly made: MadeImage }>;
  /** As they were given: one without a tag may stand for any. */
  readonly tags: readonly Reference[];
  readonly annotations: readonly ScopedAnnotation[];
  /** What images and files are to carry. */
  readonly provenance?: Provenance;
  readonly store: Store;
  readonly registries: { get(): Promise<Registries> };
  /** Seconds since 1970 in place of the clock (SOURCE_DATE_EPOCH). */
  readonly epoch: number | undefined;
  readonly exportTree: (request: ExportTreeRequest) => Promise<void>;
}

/** What came of one output. */
export interface Exported {
  /** The image in the form that it was exported in; undefined for what is no image. */
  readonly image?: MadeImage;
  /** The image as the store lists it, if this output put it there. */
  readonly stored?: MadeImage;
  readonly pushed: readonly Pushed[];
}

/** Turns the result of a build into something for use elsewhere. */
export interface Exporter {
  export(context: ExportContext, job: JobContext): Promise<Exported>;
}
