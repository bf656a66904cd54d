import type { Digest } from '../../oci/digest.js';
import type { PieceRow, PlacedPiece } from '../known-pieces.js';

/** What the thread is started with. */
export interface EarlyFormData {
  /** Descriptor of the tar, which grows while it is read; open until the thread has ended. */
  readonly tar: number;
  /** What is to be written. */
  readonly dest: string;
  readonly level: number;
  readonly pieces: readonly PlacedPiece[];
}

/** Bytes of the tar that are there by now; when they are all, the last message says so. */
export interface ToThread {
  readonly written: number;
  readonly isAll: boolean;
}

export type FromThread =
  | { readonly kind: 'made'; readonly digest: Digest; readonly size: number; readonly rows: readonly PieceRow[] }
  /** Of the system: `code` is its name. */
  | { readonly kind: 'system'; readonly code: string; readonly message: string };
