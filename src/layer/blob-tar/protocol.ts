import type { ErrorCode } from '../../base/errors.js';
import type { DiffId } from '../../oci/digest.js';
import type { RingMemory } from './ring.js';

/** A blob on disk, or one that is just being written. */
export interface BlobFile {
  readonly file: string;
  readonly size: number;
  /** Where it lies while it grows; it takes its own name when it is whole. */
  readonly growing?: string;
}

/** Tells a file from one that has come to its name since. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
}

/** Who hashes the uncompressed bytes: the thread that makes them, or whoever reads them, where that is less busy. */
export type Hashing = 'thread' | 'reader';

/** What the thread is started with. */
export interface BlobTarData {
  readonly blob: BlobFile;
  readonly hashing: Hashing;
  readonly memory: RingMemory;
}

/** What the thread says. Slots are filled in the order of the messages. */
export type FromThread =
  /** `read`: bytes of the blob so far. */
  | { readonly kind: 'slot'; readonly length: number; readonly read: number }
  | { readonly kind: 'end'; readonly diffId?: DiffId; readonly file: FileIdentity }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint?: string;
      readonly why?: string;
    }
  /** Of the system: `code` is its name. */
  | { readonly kind: 'system'; readonly code: string; readonly message: string };
