import type { VertexDigest } from '../llb/types.js';

/**
 * All that a job tells while it runs: one closed union, drawn by the sinks in `cli/output`. `at` is milliseconds
 * since 1970. A sink never changes an event.
 */
export type BuildEvent =
  | {
      readonly type: 'vertex-queued';
      readonly vertex: VertexDigest;
      readonly name: string;
      readonly inputs: readonly VertexDigest[];
      /** Vertices of one stage share it. */
      readonly stage?: string;
      readonly at: number;
    }
  | { readonly type: 'vertex-started'; readonly vertex: VertexDigest; readonly at: number }
  | { readonly type: 'vertex-completed'; readonly vertex: VertexDigest; readonly cached: boolean; readonly at: number }
  | {
      readonly type: 'vertex-failed';
      readonly vertex: VertexDigest;
      readonly code: string;
      readonly message: string;
      readonly at: number;
    }
  | { readonly type: 'vertex-canceled'; readonly vertex: VertexDigest; readonly at: number }
  | {
      readonly type: 'log';
      readonly vertex: VertexDigest;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
      readonly at: number;
    }
  /** Bytes moved, unpacked, packed or compressed. The last one of an item has `done: true`. */
  | {
      readonly type: 'transfer';
      readonly item: string;
      readonly current: number;
      readonly total?: number;
      readonly done: boolean;
      readonly at: number;
    }
  /** A check of the Dockerfile found something; shown together when the build is over. */
  | {
      readonly type: 'check';
      readonly rule: string;
      readonly description: string;
      /** Where the rule is explained; '' for one without a page. */
      readonly url: string;
      readonly detail: string;
      readonly range: { readonly startLine: number; readonly endLine: number };
      readonly at: number;
    }
  /** One line worth knowing that belongs to no vertex: the chosen rung, a directive that is ignored. */
  | { readonly type: 'notice'; readonly level: 'info' | 'warning'; readonly text: string; readonly at: number };

export type Emit = (event: BuildEvent) => void;
