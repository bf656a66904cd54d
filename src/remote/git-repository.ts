import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { GitError, type Git, type GitPlace } from './git-cli.js';
import type { GitCommit } from './find-commit.js';
import { redact } from './redact.js';
import { removeGitEntries } from './remove-git-entries.js';

export interface CheckoutOptions extends Cancel {
  /** As `git clone` takes it. */
  readonly remote: string;
  /** With a `.git` that knows the one commit. */
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
}

/**
 * A bare repository of this machine that gathers what was ever fetched of one remote, a commit at a time, without
 * history. Its user holds a lock on it.
 */
export class GitRepository {
  readonly #dir: string;
  readonly #git: Git;

  /** `dir` is made if it is absent. */
  constructor(dir: string, git: Git) {
    this.#dir = dir;
    this.#git = git;
  }

  /** Brings the commit in, if it is not there. Throws FETCH_FAILED. */
  async fetch(remote: string, { ref, sha }: GitCommit, opts: Cancel): Promise<void> {
    await this.#init(sha, opts);
    const local = localRef(ref);
    if (!(await this.#has(sha, opts))) {
      await this.#fetchRef(remote, ref, local, opts);
      // The remote's ref may have moved on since it was asked what it is.
      if (!(await this.#has(sha, opts))) await this.#fetchRef(remote, sha, local, opts);
      if (!(await this.#has(sha, opts))) {
        const what = `fetched ref ${ref} does not match expected commit ${sha}`;
        throw new BuildError('FETCH_FAILED', `${what} and commit can not be found in the repository`);
      }
    }
    await this.#run(['update-ref', '--no-deref', local, sha], opts);
  }

  /** Writes the files of a commit that is here into an empty directory. Throws FETCH_FAILED. */
  async checkout(commit: GitCommit, dir: string, options: CheckoutOptions): Promise<void> {
    const { keepGitDir, submodules, remote } = options;
    const hasSubmodules =
      submodules &&
      (await this.#run(['ls-tree', '--name-only', `${commit.sha}^{commit}`, '.gitmodules'], options)) !== '';
    if (!keepGitDir && !hasSubmodules) {
      // An index of its own: what another checkout left in the repository's would stand for files that are not there.
      const indexFile = `${dir}.index`;
      try {
        const place = { gitDir: this.#dir, workTree: dir, indexFile };
        await this.#git.run(place, ['read-tree', '--reset', '-u', `${commit.sha}^{commit}`], options);
      } finally {
        rmSync(indexFile, { force: true });
      }
      return;
    }
    await this.#checkoutRepository(commit, dir, options);
    if (hasSubmodules) {
      const place = { gitDir: path.join(dir, '.git'), workTree: dir };
      await this.#guarded(`failed to update submodules for ${redact(remote)}`, options, () =>
        this.#git.run(place, ['submodule', 'update', '--init', '--recursive', '--depth=1'], options),
      );
    }
    if (!keepGitDir) removeGitEntries(dir);
  }

  /** Seconds since 1970 at which the commit was made. */
  async commitTime({ sha }: GitCommit, opts: Cancel): Promise<number> {
    return Number((await this.#run(['log', '-1', '--format=%ct', `${sha}^{commit}`], opts)).trim());
  }

  /** A repository with nothing but the commit, as a clone of depth 1. */
  async #checkoutRepository({ ref, sha }: GitCommit, dir: string, { remote, ...opts }: CheckoutOptions): Promise<void> {
    const place: GitPlace = { gitDir: path.join(dir, '.git'), workTree: dir };
    const run = (...args: readonly string[]): Promise<string> => this.#git.run(place, args, opts);
    await run('init', '--quiet', ...objectFormat(sha));
    const target = ref.startsWith('refs/') ? `:${ref}` : '';
    const here = pathToFileURL(this.#dir).href;
    await run('fetch', '--quiet', '--update-head-ok', '--no-tags', '--depth=1', '--', here, localRef(ref) + target);
    await run('checkout', '--quiet', '--detach', 'FETCH_HEAD');
    await run('remote', 'add', 'origin', redact(remote));
    await run('reflog', 'expire', '--all', '--expire=now');
    rmSync(path.join(dir, '.git', 'FETCH_HEAD'), { force: true });
  }

  async #init(sha: string, opts: Cancel): Promise<void> {
    if (existsSync(path.join(this.#dir, 'HEAD'))) return;
    mkdirSync(this.#dir, { recursive: true });
    await this.#run(['init', '--quiet', '--bare', ...objectFormat(sha)], opts);
  }

  async #has(sha: string, opts: Cancel): Promise<boolean> {
    try {
      await this.#run(['cat-file', '-e', `${sha}^{commit}`], opts);
      return true;
    } catch (error) {
      if (error instanceof GitError) return false;
      throw error;
    }
  }

  async #fetchRef(remote: string, what: string, local: string, opts: Cancel): Promise<void> {
    rmSync(path.join(this.#dir, 'shallow.lock'), { force: true }); // of a fetch that was killed: the lock is ours
    const fetch = (...args: readonly string[]): Promise<string> => this.#run(['fetch', '--force', ...args], opts);
    await this.#guarded(`failed to fetch remote ${redact(remote)}`, opts, async () => {
      try {
        await fetch('--no-tags', '--depth=1', '--', remote, `${what}:${local}`);
      } catch (error) {
        if (!(error instanceof GitError)) throw error;
        const isRefused = /not our ref|unadvertised object/.test(error.stderr);
        if (isRefused) {
          // A server that gives no single commits gives its branches.
          const whole = existsSync(path.join(this.#dir, 'shallow')) ? ['--unshallow'] : [];
          await fetch('--tags', ...whole, '--', remote, '+refs/heads/*:refs/slipway/heads/*');
        } else if (/--depth|shallow/.test(error.stderr)) {
          await fetch('--no-tags', '--', remote, `${what}:${local}`);
        } else throw error;
      }
    });
  }

  async #run(args: readonly string[], opts: Cancel): Promise<string> {
    return await this.#git.run({ gitDir: this.#dir }, args, opts);
  }

  async #guarded(what: string, { signal }: Cancel, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      signal.throwIfAborted();
      throw cause instanceof GitError ? new BuildError('FETCH_FAILED', what, { cause }) : cause;
    }
  }
}

function objectFormat(sha: string): readonly string[] {
  return sha.length === 64 ? ['--object-format=sha256'] : [];
}

/** Under a name that no other ref can be in the way of. */
function localRef(ref: string): string {
  return `refs/slipway/${createHash('sha256').update(ref).digest('hex')}`;
}
