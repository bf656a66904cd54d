import { spawn } from 'node:child_process';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';

export interface GitOptions {
  /** A header for requests to URLs that begin so; kept out of argument lists, which everyone can read. */
  readonly header?: { readonly scope: string; readonly text: string };
  /** Socket of an ssh agent. */
  readonly sshAgent?: string;
  /** What git says of its progress. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface GitPlace {
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly indexFile?: string;
}

/** A git command that failed; `stderr` is what it said. */
export class GitError extends Error {
  readonly stderr: string;

  constructor(command: string, code: number | null, stderr: string) {
    super(`git ${command} ended with ${code ?? 'a signal'}: ${stderr.trim()}`);
    this.stderr = stderr;
  }
}

const STDOUT_BYTES = 64 * 1024 * 1024;
const STDERR_BYTES = 64 * 1024;
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
/**
 * With the modes that git gives by itself, and not for longer than this process lives: stdin is a pipe from it that says
 * nothing and ends with it, and then the whole group is killed, git's helpers too.
 */
const START = `umask 022
exec 3<&0 </dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
git "$@" 3<&-
code=$?
kill "$!"
exit "$code"`;

const CONFIG = [
  'protocol.file.allow=user', // a repository must not name directories of this machine as its submodules
  'core.hooksPath=/dev/null',
  'init.templateDir=',
  'init.defaultBranch=master',
  'advice.detachedHead=false',
  'gc.auto=0',
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=60',
];

/**
 * The system's git, without the configuration of the user and of the system, which can name programs to run; it never
 * asks a question.
 */
export class Git {
  readonly #options: GitOptions;

  constructor(options: GitOptions = {}) {
    this.#options = options;
  }

  /** What the command writes to stdout. Throws a GitError, and UNSUPPORTED where git is not installed. */
  async run(place: GitPlace, args: readonly string[], { signal }: Cancel): Promise<string> {
    signal.throwIfAborted();
    const where = [
      ...(place.gitDir === undefined ? [] : [`--git-dir=${place.gitDir}`]),
      ...(place.workTree === undefined ? [] : [`--work-tree=${place.workTree}`]),
    ];
    const config = CONFIG.flatMap((one) => ['-c', one]);
    const child = spawn('/bin/sh', ['-c', START, 'git', ...config, ...where, ...args], {
      cwd: place.workTree ?? place.gitDir ?? '/',
      env: this.#env(place),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // a group of its own, so that its helpers can be ended with it
    });
    const kill = (): void => killGroup(child.pid);
    signal.addEventListener('abort', kill, { once: true });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.length > STDOUT_BYTES) kill();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-STDERR_BYTES);
      this.#options.onOutput?.(chunk);
    });
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject).once('close', resolve);
      });
      signal.throwIfAborted();
      if (code === 0) return stdout;
      if (code === 127) throw missing(stderr);
      throw new GitError(args[0]!, code, stderr);
    } finally {
      signal.removeEventListener('abort', kill);
      child.stdin.destroy();
    }
  }

  #env({ indexFile }: GitPlace): NodeJS.ProcessEnv {
    const { header, sshAgent } = this.#options;
    return {
      PATH: process.env['PATH'],
      LC_ALL: 'C',
      HOME: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_SSH_COMMAND: 'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new',
      ...(indexFile !== undefined && { GIT_INDEX_FILE: indexFile }),
      ...(sshAgent !== undefined && { SSH_AUTH_SOCK: sshAgent }),
      ...(header && {
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: `http.${header.scope}.extraHeader`,
        GIT_CONFIG_VALUE_0: header.text,
      }),
      ...Object.fromEntries(PROXIES.map((name) => [name, process.env[name]])),
    };
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

function missing(stderr: string): BuildError {
  return new BuildError('UNSUPPORTED', 'git repositories need the program `git`, which is not installed', {
    hint: 'install the package `git`',
    cause: new Error(stderr.trim()),
  });
}
