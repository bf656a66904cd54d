import type { Digest } from '../../oci/digest.js';

/** What `repair` does about a fault. */
export type Repair =
  /** The bytes are wrong: they are set aside, so that the right ones can come again. */
  | { readonly kind: 'blob'; readonly digest: Digest }
  /** A small file that is made anew when it is needed. */
  | { readonly kind: 'file'; readonly path: string }
  /** A step that is not whole: what leads to it goes, so that it is run again. */
  | { readonly kind: 'ref'; readonly id: string }
  /** The list of images: it is written anew from the manifests that are there. */
  | { readonly kind: 'index' }
  /** Nothing can be done here. */
  | { readonly kind: 'none' };

/** Something that is not as it must be. */
export interface Damage {
  /** One sentence without a full stop, names in back-ticks. */
  readonly what: string;
  /** Names of images, or digests of those without, that are not whole because of it. */
  readonly images: readonly string[];
  readonly repair: Repair;
  /** Whether it is still so: what leads to the fault may have been removed while it was looked for. */
  isStill(): boolean;
}

/** What was looked at. */
export interface FsckCounts {
  readonly images: number;
  readonly blobs: number;
  /** Of the blobs. */
  readonly bytes: number;
  /** Cached results. */
  readonly records: number;
  readonly refs: number;
  readonly tocs: number;
}
