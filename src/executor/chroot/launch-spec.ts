import type { ByteString } from '../../base/bytes.js';
import type { RunUser } from '../types.js';

/** What the launcher is told, as JSON, on the descriptor `CONTROL_FD`, which it answers on as well. */
export interface LaunchSpec {
  /** Id of the process that starts it; should another one be its parent by then, that one has died. */
  readonly parent: number;
  /** Absolute path of the directory that becomes `/`. */
  readonly root: ByteString;
  /** From there on, links followed. */
  readonly cwd: ByteString;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user: RunUser;
  /** By the kernel's numbers. */
  readonly capabilities: readonly number[];
  readonly limits: readonly { readonly resource: number; readonly soft: number; readonly hard: number }[];
}

/** What the launcher says before it ends. Nothing when it has become the command. */
export type LaunchFailure =
  /** The command is missing or is no program; the message is for the user's log. */
  | { readonly kind: 'not-executable'; readonly message: string }
  /** The machine does not let it do what it must. */
  | { readonly kind: 'not-possible'; readonly message: string };

export const CONTROL_FD = 3;
