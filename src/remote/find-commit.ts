import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { GitError, type Git } from './git-cli.js';
import { redact } from './redact.js';

/** What a name in a repository stands for. */
export interface GitCommit {
  /** `refs/…` in full, or a commit. */
  readonly ref: string;
  /** What the remote has under it: a commit, or an annotated tag. */
  readonly sha: string;
  /** The commit that an annotated tag stands for, where it is known. */
  readonly tagged?: string;
}

export interface WantedCommit {
  readonly remote: string;
  /** '' is the default branch. */
  readonly ref: string;
  /** Beginning of the hash that it must come to. */
  readonly checksum?: string;
  /** `checksum` is trusted to be the commit, and the remote is not asked. */
  readonly fetchByCommit: boolean;
}

export function isCommitHash(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Asks the remote, where that is needed. Throws FETCH_FAILED in BuildKit's words. */
export async function findCommit(git: Git, wanted: WantedCommit, opts: Cancel): Promise<GitCommit> {
  const { remote, ref, checksum } = wanted;
  if (ref.startsWith('-')) throw failed(`invalid git ref ${JSON.stringify(ref)}`);
  if (checksum !== undefined && !/^[a-fA-F0-9]+$/.test(checksum)) {
    throw failed(`invalid checksum ${checksum} for Git URL, expected hex commit hash`);
  }
  if (isCommitHash(ref)) {
    if (checksum !== undefined && !ref.startsWith(checksum)) throw mismatch(checksum, ref);
    return { ref, sha: ref };
  }
  if (wanted.fetchByCommit) return byCommit(ref, checksum);
  const name = ref === '' ? await defaultBranch(git, remote, opts) : ref;
  const output = await ask(git, remote, ['ls-remote', '--', remote, name, `${name}^{}`], opts);
  const found = pick(
    name,
    new Map(output.split('\n').map((line) => [line.split('\t')[1] ?? '', line.split('\t')[0]!])),
  );
  if (!found) {
    const text = `repository does not contain ref ${name}, output: ${JSON.stringify(output)}`;
    throw new BuildError('FETCH_FAILED', text, { hint: 'name a branch, a tag or a whole commit hash after `#`' });
  }
  if (!isCommitHash(found.sha)) throw failed(`invalid commit sha ${JSON.stringify(found.sha)}`);
  if (checksum !== undefined && ![found.sha, found.tagged].some((one) => one?.startsWith(checksum))) {
    throw mismatch(checksum, found.tagged === undefined ? found.sha : `${found.sha} or ${found.tagged}`);
  }
  return found;
}

function byCommit(ref: string, checksum: string | undefined): GitCommit {
  if (checksum === undefined) throw failed('fetch-by-commit requires a checksum or a commit SHA ref');
  if (!isCommitHash(checksum)) {
    throw failed(`fetch-by-commit requires a full commit SHA checksum, got ${JSON.stringify(checksum)}`);
  }
  if (ref === '') return { ref: checksum, sha: checksum };
  return { ref: ref.startsWith('refs/') ? ref : `refs/heads/${ref}`, sha: checksum };
}

/** A branch is meant where a tag has the same name. */
function pick(name: string, shas: ReadonlyMap<string, string>): GitCommit | undefined {
  const full = (prefix: string): string => (name.startsWith(prefix) ? name : prefix + name);
  for (const ref of [full('refs/'), full('refs/heads/')]) {
    const sha = shas.get(ref);
    if (sha === undefined) continue;
    const tagged = ref.startsWith('refs/tags/') ? shas.get(`${ref}^{}`) : undefined;
    return { ref, sha, ...(tagged !== undefined && { tagged }) };
  }
  const ref = full('refs/tags/');
  const sha = shas.get(ref);
  const tagged = shas.get(`${ref}^{}`);
  return sha === undefined ? undefined : { ref, sha, ...(tagged !== undefined && { tagged }) };
}

async function defaultBranch(git: Git, remote: string, opts: Cancel): Promise<string> {
  const output = await ask(git, remote, ['ls-remote', '--symref', '--', remote, 'HEAD'], opts, 'default branch of ');
  const found = /refs\/heads\/(\S+)/.exec(output)?.[1];
  if (found === undefined) throw failed(`could not find default branch for repository: ${redact(remote)}`);
  if (found.startsWith('-')) throw failed(`invalid git ref ${JSON.stringify(found)}`);
  return found;
}

async function ask(git: Git, remote: string, args: readonly string[], opts: Cancel, what = ''): Promise<string> {
  try {
    return await git.run({}, args, opts);
  } catch (cause) {
    if (!(cause instanceof GitError)) throw cause;
    throw new BuildError('FETCH_FAILED', `failed to fetch ${what}remote ${redact(remote)}`, { cause });
  }
}

function mismatch(checksum: string, got: string): BuildError {
  return failed(`expected checksum to match ${checksum}, got ${got}`);
}

function failed(message: string): BuildError {
  return new BuildError('FETCH_FAILED', message);
}
