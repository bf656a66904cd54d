import { spawnSync } from 'node:child_process';

/** Where a build's result goes: to where the builder keeps images, to an OCI archive compressed by gzip, or to a registry. */
export type Output =
  | { readonly kind: 'store' }
  | { readonly kind: 'archive'; readonly dest: string }
  | { readonly kind: 'push'; readonly ref: string };

/** One build, as every builder can be asked for it. */
export interface BuildRequest {
  readonly context: string;
  readonly file: string;
  /** References in a registry over HTTP, by the name that FROM has. */
  readonly bases?: Readonly<Record<string, string>>;
  readonly output: Output;
  readonly noCache?: boolean;
}

/** What is measured: Slipway, or a peer. Its data lie in the folder that it was made with. */
export interface Builder {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  start(): Promise<void>;
  /** Ends what was started, and removes the data. */
  stop(): Promise<void>;
  /** Cache and images go. */
  forget(): Promise<void>;
  version(): string;
  /** The program and its arguments; undefined when the builder cannot do it. */
  command(request: BuildRequest): readonly string[] | undefined;
  /** Whether a process with these arguments is the builder's own, for its memory; absent where it is not asked. */
  isOwn?(argv: readonly string[]): boolean;
}

/** What a program prints. Throws with what it says when it fails. */
export function printedBy([program, ...args]: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const done = spawnSync(program!, args, { encoding: 'utf8', env, maxBuffer: 256 * 1024 * 1024 });
  if (done.status === 0) return done.stdout;
  const why = done.error?.message ?? done.stderr;
  throw new Error(`\`${[program, ...args].join(' ')}\` ended with code ${done.status}:\n${why}`);
}
