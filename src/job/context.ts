import type { Emit } from './events.js';

/** A local directory lent to the build under a name; `context` is the main one. */
export interface LocalContext {
  readonly dir: string;
  /** Text of the ignore file that applies to it; '' for none. */
  readonly ignore: string;
}

/** Where the bytes of a secret are; they are read when a RUN asks for them. */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'value'; readonly value: string };

/** What the caller lends for one job. */
export interface Session {
  readonly contexts: ReadonlyMap<string, LocalContext>;
  /** By id, for `RUN --mount=type=secret`. */
  readonly secrets?: ReadonlyMap<string, SecretSource>;
  /** Absolute paths of agents' sockets by id, for `RUN --mount=type=ssh`. */
  readonly agents?: ReadonlyMap<string, string>;
}

/** What one request carries through every layer. */
export interface JobContext {
  readonly signal: AbortSignal;
  readonly emit: Emit;
  readonly session: Session;
  /** Milliseconds since 1970; injected so that tests can stand still. */
  readonly now: () => number;
}
