import type { Cancel } from '../base/abort.js';
import type { Digest } from '../oci/digest.js';
import type { NetworkReport } from '../executor/network/run-networks.js';
import type { ExecOp, FileAction, VertexDigest } from '../llb/types.js';
import type { LayerFact } from '../store/refs.js';

/** Id of a ref in the store; null is the empty file system. */
export type RefId = string | null;

/** Which face of a change to make first: a tree when a RUN will stand on it, a layer when it is only exported. */
export type Face = 'tree' | 'layer';

/** A layer whose blob is being brought, and the ref that it will have. */
export interface ComingLayer {
  readonly ref: string;
  readonly layer: LayerFact;
}

/** Where an op reads: a ref, or a local directory of the session. */
export type OpInput =
  | { readonly kind: 'ref'; readonly ref: RefId }
  | {
      readonly kind: 'context';
      readonly name: string;
      readonly dir: string;
      readonly ignore: string;
      /** sha256 of files as they were when the op was keyed, by path; what is read now must match. */
      readonly digests?: Readonly<Record<string, Digest>>;
    };

export interface FileOpRequest {
  readonly inputs: readonly OpInput[];
  readonly actions: readonly FileAction[];
  readonly face: Face;
  /** The change will be a layer of the image that the job makes. */
  readonly isOfImage: boolean;
  /** Of the refs that come out. */
  readonly description: string;
  /** Milliseconds since 1970: mtime of what the op makes by itself, and the ref's time. */
  readonly now: number;
}

/** A file op that was done before it was known whether it has to be. Either is to be called, once. */
export interface FileOpAhead {
  /** As `Machine.fileOp`. */
  take(): Promise<readonly RefId[]>;
  drop(): Promise<void>;
}

export interface ExecRequest {
  readonly op: ExecOp;
  readonly inputs: readonly OpInput[];
  readonly vertex: VertexDigest;
  readonly now: number;
  /** What steps of the job will read of the result. */
  readonly copied: readonly ContentSelection[];
  /** Other steps of the job stand on the same root. */
  readonly branches: boolean;
  readonly trustHostCa: boolean;
  /** Base64, by id: the secrets that the op mounts, as far as they were given. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Sockets of ssh agents by id. */
  readonly agents: Readonly<Record<string, string>>;
}

/** Paths that a copy reads, as the content of one input. */
export interface ContentRequest {
  readonly input: OpInput;
  readonly selection: ContentSelection;
}

/** What of an input counts; an absent member is not limited. */
export interface ContentSelection {
  readonly paths: readonly string[];
  readonly followLinks: boolean;
  readonly wildcard: boolean;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  /** Absolute paths that must be among what is selected. */
  readonly requiredPaths?: readonly string[];
}

export interface RunImageRequest {
  readonly ref: RefId;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly network: 'host' | 'none';
}

/**
 * A listener that needs time to take a chunk returns a promise: a process that says more than is taken then waits.
 */
export type OutputListener = (stream: 'stdout' | 'stderr', chunk: Buffer) => void | Promise<void>;

export interface MachineOptions extends Cancel {
  readonly onOutput: OutputListener;
}

/** Signals on their way to a process that runs. */
export interface SignalSource {
  /** Called for each signal from then on, and for those that came before. */
  subscribe(listener: (signal: NodeJS.Signals) => void): void;
}

/** What a machine tells of work that belongs to no call alone, such as unpacking a base. Counts are bytes. */
export interface Progress {
  readonly item: string;
  readonly current: number;
  readonly total: number;
  readonly done: boolean;
}

/** A line worth knowing that a machine says once, and that belongs to no call alone. */
export interface Notice {
  readonly level: 'info' | 'warning';
  readonly text: string;
}

export interface RunImageOptions extends MachineOptions {
  readonly signals: SignalSource;
}

/**
 * The ops on this machine. Refs go in and come out by id: what they are lies in the store, so that the same calls can be
 * served by this process or by a worker in its own namespaces.
 */
export interface Machine {
  /** One ref an output of the op. Throws PATH_NOT_FOUND, COPY_FAILED, ARCHIVE_INVALID, CONTEXT_INVALID. */
  fileOp(request: FileOpRequest, opts: Cancel): Promise<readonly RefId[]>;
  /** One ref an output. Throws RUN_FAILED with the exit code. */
  exec(request: ExecRequest, opts: MachineOptions): Promise<readonly RefId[]>;
  /** As `Trees`. Fails as making a tree does; then whoever needs the tree tries again, when the layers are there. */
  unpackAhead(layers: readonly ComingLayer[], opts: Cancel): Promise<void>;
  /** Makes sure that the ref has its layer face, and its table of contents. */
  pack(ref: string, opts: Cancel): Promise<void>;
  contentDigest(request: ContentRequest, opts: Cancel): Promise<Digest>;
  /** Writes the whole file system to a directory, or as one tar to a file. */
  exportTree(request: ExportTreeRequest, opts: Cancel): Promise<void>;
  /** Removes directories of the store with all that is in them, whoever that belongs to. Absence is no error. */
  removeTrees(dirs: readonly string[], opts: Cancel): Promise<void>;
  /** What network a RUN gets, found out by trying. Throws NETWORK_FAILED where the mode names what does not work. */
  network(request: undefined, opts: Cancel): Promise<NetworkReport>;
  /** Runs a process in a throw-away copy of a ref; gives its exit code (128 + signal number when killed). */
  runImage(request: RunImageRequest, opts: RunImageOptions): Promise<number>;
}

export interface ExportTreeRequest {
  readonly ref: RefId;
  readonly dest: string;
  readonly form: 'directory' | 'tar';
  /** Name of a directory that all of it is in. */
  readonly below?: string;
  /** What the ref does not have goes from the directory. */
  readonly isMirror?: boolean;
  /** Seconds since 1970 that no mtime may exceed. */
  readonly maxMtime?: number;
  /** An in-toto statement to stand in the root beside the files. Its subjects are all regular files of the ref. */
  readonly statement?: {
    readonly fileName: string;
    readonly document: object;
    /** Seconds since 1970. */
    readonly mtime: number;
  };
}
