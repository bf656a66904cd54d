import type { Platform } from '../oci/platform.js';
import type { Digest } from '../oci/digest.js';

declare const brand: unique symbol;
/** Digest of a vertex: covers op, platform and inputs, never options. */
export type VertexDigest = Digest & { readonly [brand]: 'VertexDigest' };

/**
 * The build graph in BuildKit's low-level vocabulary (moby/buildkit `solver/pb/ops.proto`). Field for field what LLB can
 * say, so that a definition can be marshalled to protobuf; nothing else may be added to an op.
 */
export type Op = SourceOp | ExecOp | FileOp | MergeOp | DiffOp;

/**
 * `identifier` is one of
 *  - `docker-image://<reference>@<digest>`
 *  - `oci-layout://<reference>@<digest>`
 *  - `local://<name>` with attrs `local.includepattern`, `local.excludepatterns`, `local.followpaths` (JSON arrays)
 *  - `http://…`, `https://…`: one file, with attrs `http.filename`, `http.checksum`
 *  - `git://<host>/<path>[#<ref>[:<directory>]]` with attrs `git.fullurl`, `git.keepgitdir`, `git.checksum`,
 *    `git.skipsubmodules`, `git.mtime`, `git.fetchbycommit`
 */
export interface SourceOp {
  readonly kind: 'source';
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
}

export interface ExecOp {
  readonly kind: 'exec';
  readonly meta: ExecMeta;
  readonly mounts: readonly ExecMount[];
  readonly network: 'sandbox' | 'host' | 'none';
  readonly security: 'sandbox' | 'insecure';
}

export interface ExecMeta {
  readonly args: readonly string[];
  /** `NAME=value`, in order. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** As in USER; '' is root. */
  readonly user: string;
  readonly hostname?: string;
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Proxy variables; never part of a cache key. */
  readonly proxyEnv?: Readonly<Record<string, string>>;
}

/** Index into `Vertex.inputs`; -1 is an empty file system. */
export type InputIndex = number;
/** Index of an output of the op; -1 throws the change away. */
export type OutputIndex = number;

export interface ExecMount {
  readonly input: InputIndex;
  /** Path inside the input that is mounted. */
  readonly selector?: string;
  readonly dest: string;
  readonly output: OutputIndex;
  readonly readonly: boolean;
  readonly mount:
    | { readonly type: 'bind' }
    | { readonly type: 'cache'; readonly id: string; readonly sharing: 'shared' | 'private' | 'locked' }
    | { readonly type: 'tmpfs'; readonly size: number }
    | {
        readonly type: 'secret';
        readonly id: string;
        readonly uid: number;
        readonly gid: number;
        readonly mode: number;
        readonly optional: boolean;
        readonly env?: string;
      }
    | {
        readonly type: 'ssh';
        readonly id: string;
        readonly uid: number;
        readonly gid: number;
        readonly mode: number;
        readonly optional: boolean;
      };
}

export interface FileOp {
  readonly kind: 'file';
  readonly actions: readonly FileAction[];
}

/** Applied to `input`; `secondaryInput` is where a copy reads. Inputs >= `Vertex.inputs.length` name earlier actions. */
export interface FileAction {
  readonly input: InputIndex;
  readonly secondaryInput: InputIndex;
  readonly output: OutputIndex;
  readonly action: CopyAction | MkfileAction | MkdirAction | RmAction | SymlinkAction;
}

/** Owner by name or number; a name is looked up in the passwd and group files of the action's input. */
export interface Owner {
  readonly user?: { readonly name: string } | { readonly id: number };
  readonly group?: { readonly name: string } | { readonly id: number };
}

/** LLB `FileActionCopy`. Times are nanoseconds as decimal text, '-1' or absent to keep the source's. */
export interface CopyAction {
  readonly type: 'copy';
  readonly src: string;
  readonly dest: string;
  readonly owner?: Owner;
  /** -1 keeps the source's mode. */
  readonly mode: number;
  /** Symbolic mode (`u=rwX,go=rX`), instead of `mode`. */
  readonly modeStr?: string;
  readonly followSymlink: boolean;
  readonly dirCopyContents: boolean;
  readonly attemptUnpackDockerCompatibility: boolean;
  readonly createDestPath: boolean;
  readonly allowWildcard: boolean;
  readonly allowEmptyWildcard: boolean;
  readonly timestamp?: string;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  readonly requiredPaths?: readonly string[];
  readonly alwaysReplaceExistingDestPaths?: boolean;
}

export interface MkfileAction {
  readonly type: 'mkfile';
  readonly path: string;
  readonly mode: number;
  /** Content, base64. */
  readonly data: string;
  readonly owner?: Owner;
  readonly timestamp?: string;
}

export interface MkdirAction {
  readonly type: 'mkdir';
  readonly path: string;
  readonly mode: number;
  readonly makeParents: boolean;
  readonly owner?: Owner;
  readonly timestamp?: string;
}

export interface RmAction {
  readonly type: 'rm';
  readonly path: string;
  readonly allowNotFound: boolean;
  readonly allowWildcard: boolean;
}

export interface SymlinkAction {
  readonly type: 'symlink';
  readonly oldpath: string;
  readonly newpath: string;
  readonly owner?: Owner;
  readonly timestamp?: string;
}

/** The inputs, stacked in order. */
export interface MergeOp {
  readonly kind: 'merge';
}

/** What input 1 has beyond input 0. */
export interface DiffOp {
  readonly kind: 'diff';
}

/** How a vertex is shown and treated; never part of its digest. */
export interface VertexOptions {
  /** `[builder 2/5] RUN make`. */
  readonly name: string;
  /** Where it stands in the Dockerfile: 1-based lines. */
  readonly location?: { readonly file: string; readonly startLine: number; readonly endLine: number };
  /** Run it even if a cached result is there. */
  readonly ignoreCache?: boolean;
  /** Groups the vertices of one stage. */
  readonly stage?: string;
}

export interface Vertex {
  readonly digest: VertexDigest;
  readonly op: Op;
  readonly platform: Platform;
  readonly inputs: readonly Edge[];
  readonly options: VertexOptions;
}

export interface Edge {
  readonly vertex: Vertex;
  readonly output: number;
}
