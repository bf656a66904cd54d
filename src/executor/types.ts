export type ExitStatus =
  /** A process that a signal ended inside counts as exited with 128 and the signal's number, as runtimes report it. */
  | { readonly kind: 'exited'; readonly code: number }
  /** The runtime itself was killed from outside. */
  | { readonly kind: 'killed'; readonly signal: NodeJS.Signals };

export interface RunUser {
  readonly uid: number;
  readonly gid: number;
  /** All supplementary groups, the primary one included. */
  readonly additionalGids: readonly number[];
}

/** Something mounted for one run. Targets are paths inside the root; they must exist there (`snapshot/mount-stubs.ts`). */
export type RunMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      /** Nothing in it can be executed, and setuid bits do not count. */
      readonly inert?: boolean;
      /** What is written to it stays there, as in a cache. Otherwise the source is for this run only. */
      readonly isKept?: boolean;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      /** Bytes; absent or 0 leaves it to the kernel. It has the mode of the directory it covers, else 1777. */
      readonly size?: number;
    };

/** The machine's network, none, or a namespace that is there, with the resolv.conf that holds in it. */
export type RunNetwork = 'host' | 'none' | { readonly netns: string; readonly resolvConf: string };

/** One process, in the words of LLB's exec meta after names have been looked up. */
export interface RunSpec {
  /** Absolute path of the root file system, where it is mounted. */
  readonly rootfs: string;
  readonly args: readonly string[];
  /** `NAME=value`, passed as they are. */
  readonly env: readonly string[];
  /** Absolute; made (0:0, 0755) if it is missing. */
  readonly cwd: string;
  readonly user: RunUser;
  readonly hostname?: string;
  readonly network: RunNetwork;
  /**
   * In order; a later one may lie in an earlier one, and one of the system's own (`/dev/shm`, `/etc/hosts`) is replaced.
   */
  readonly mounts: readonly RunMount[];
  readonly readonlyRoot?: boolean;
  /**
   * Everything that the executor itself may do (`RUN --security=insecure`): every capability, no seccomp filter, nothing
   * of /proc and /sys masked or read-only, devices that can be opened.
   */
  readonly insecure?: boolean;
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
}

/** The chunk belongs to the listener. With a promise it asks for no more of this stream until that is fulfilled. */
export type OnOutput = (stream: 'stdout' | 'stderr', chunk: Buffer) => void | Promise<void>;

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly onOutput: OnOutput;
  /** Called once the runtime is there, with what passes a signal on to the process. */
  readonly onStart?: (deliver: (signal: NodeJS.Signals) => void) => void;
}

export interface Executor {
  /**
   * Runs a process to its end. When `signal` aborts, everything it started is killed at once, and its reason is thrown
   * after nothing is left running. A command that does not exist or cannot be executed is an exit with code 1 and a
   * message on stderr. Throws RUN_FAILED when the root has a file where the spec needs a directory, RUNTIME_FAILED when
   * the runtime cannot set the container up.
   */
  run(spec: RunSpec, opts: RunOptions): Promise<ExitStatus>;
}
