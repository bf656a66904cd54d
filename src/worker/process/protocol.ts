import type { ErrorCode } from '../../base/errors.js';
import type { NetworkMode } from '../../executor/network/network-mode.js';
import type { Machine, Notice, Progress } from '../machine.js';
import type { WorkerKind } from '../worker-kind.js';

/** What the main process tells the worker when it starts it. */
export interface WorkerSettings {
  readonly storeRoot: string;
  readonly leaseId: string;
  readonly kind: WorkerKind;
  readonly networkMode: NetworkMode;
}

export type Method = keyof Machine;

/** Messages to the worker. */
export type ToWorker =
  | { readonly type: 'settings'; readonly settings: WorkerSettings }
  | { readonly type: 'call'; readonly id: number; readonly method: Method; readonly request: unknown }
  | { readonly type: 'cancel'; readonly id: number }
  /** Bytes of output that the call's listener has taken since the last such message. */
  | { readonly type: 'taken'; readonly id: number; readonly bytes: number }
  | { readonly type: 'signal'; readonly id: number; readonly signal: NodeJS.Signals };

/** Messages from the worker. `data` is base64. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'output'; readonly id: number; readonly stream: 'stdout' | 'stderr'; readonly data: string }
  | ({ readonly type: 'progress' } & Progress)
  | ({ readonly type: 'notice' } & Notice)
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError };

/** An error as it crosses. Without a code it is a bug, and its stack comes along. */
export interface WireError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly hint?: string;
  readonly stack?: string;
  readonly cause?: WireError;
  /** Members of known subclasses. */
  readonly exit?: { readonly code: number; readonly signal?: string; readonly args: readonly string[] };
}
