/** Every failure that a user can meet, by code. Closed: a new kind of failure is a new line here. */
export type ErrorCode =
  | 'USAGE' // the command line or the options of the library call are wrong
  | 'DOCKERFILE_INVALID' // the Dockerfile has faults; `DockerfileError` carries them as diagnostics
  | 'DOCKERFILE_NOT_FOUND'
  | 'CHECK_FAILED' // a check found something, and the file asks with `error=true` that this fails the build
  | 'STAGE_NOT_FOUND'
  | 'CONTEXT_INVALID' // the context cannot be read, or changed while it was read
  | 'PATH_NOT_FOUND' // a COPY or ADD source is missing
  | 'COPY_FAILED' // a COPY or ADD cannot be done as written (a directory onto a file, ...)
  | 'ARCHIVE_INVALID' // a tar or compressed stream is damaged, hostile or over a limit
  | 'FETCH_FAILED' // a URL or a git repository cannot be fetched, or is not what a checksum says
  | 'BASE_NOT_FOUND' // no store, layout or registry gives the base image
  | 'REFERENCE_INVALID'
  | 'IMAGE_NOT_FOUND' // neither the store nor the place that was asked has an image of that name
  | 'IMAGE_INVALID' // a manifest, config or layer contradicts itself or the specification
  | 'BLOB_CORRUPT' // bytes do not hash to their digest
  | 'BLOB_NOT_FOUND'
  | 'REGISTRY_FAILED' // a registry cannot be reached, or does not do what the specification says
  | 'REGISTRY_DENIED' // a registry wants other credentials, or none are enough
  | 'CONFIG_INVALID' // `config.toml` or Docker's `config.json` cannot be read
  | 'ENGINE_UNAVAILABLE' // no container engine takes the image that `--load` hands it
  | 'RUN_FAILED' // a RUN ended with a non-zero code or by a signal
  | 'NOT_ALLOWED' // the Dockerfile asks for a right that `--allow` does not give
  | 'SECRET_NOT_FOUND' // a secret or ssh agent that a RUN asks for was not given, or cannot be read
  | 'ISOLATION_UNAVAILABLE' // this machine cannot do what the build or `--isolation` asks for
  | 'NETWORK_FAILED' // the network of a RUN could not be made, or broke while it ran
  | 'RUNTIME_FAILED' // the OCI runtime itself failed
  | 'WORKER_FAILED' // the worker process could not start or died
  | 'STORE_INVALID' // the store is of a future version or damaged
  | 'STORE_UNAVAILABLE' // the store cannot be written (permission, read-only)
  | 'DISK_FULL'
  | 'EXPORT_FAILED'
  | 'UNSUPPORTED'; // part of the language or of the command line that this version does not execute

/** Lines of a source file that an error is about, 1-based, both included. */
export interface SourcePlace {
  readonly fileName: string;
  readonly source: string;
  readonly startLine: number;
  readonly endLine: number;
}

export interface BuildErrorOptions {
  /** What the user can do about it, one sentence without a full stop. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * A failure that a user can meet and act on. Message: lower case, no full stop, names in back-ticks.
 * Anything thrown that is not a `BuildError` (nor the reason of an abort signal) is a bug in Slipway.
 */
export class BuildError extends Error {
  override readonly name: string = 'BuildError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Where it happened. Code that runs an op does not know that; the build adds it on the way out. */
  place: SourcePlace | undefined;

  constructor(code: ErrorCode, message: string, options: BuildErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** True if `error` is a Node.js system error with this `code`, for example `hasCode(error, 'ENOENT')`. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code as string);
}

/** Marks a branch that the types rule out; reaching it is a bug. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
