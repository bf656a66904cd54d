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

/** What became of the launcher. */
export type LaunchOutcome =
  /** It has become the command, whose end is that of the process. */
  { readonly kind: 'executed' } | LaunchFailure;

/** What the launcher says, as JSON after `READY` or instead of it, before it ends. */
export type LaunchFailure =
  /** The command is missing or is no program; the message is for the user's log. */
  | { readonly kind: 'not-executable'; readonly message: string }
  /** The machine does not let it do what it must. */
  | { readonly kind: 'not-possible'; readonly message: string };

/** The launcher says so when nothing is left but to execute the command. */
export const READY = '+';

export const CONTROL_FD = 3;

/** Where the launcher sends the descriptor on which `link-answers.ts` answers, or that it has none. */
export const LINKS_FD = 4;
