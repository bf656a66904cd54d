import { lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fromBytes, fromText } from '../../base/bytes.js';
import { canonicalJson } from '../../base/canonical-json.js';
import { BuildError } from '../../base/errors.js';
import type { JobContext } from '../../job/context.js';
import type { PackItem } from '../../layer/pack.js';
import type { SourceOp } from '../../llb/types.js';
import { digestOf, hexOf, type Digest } from '../../oci/digest.js';
import { Git } from '../../remote/git-cli.js';
import { findCommit, type GitCommit } from '../../remote/find-commit.js';
import { GitRepository } from '../../remote/git-repository.js';
import { redact } from '../../remote/redact.js';
import { withLock } from '../../store/lock.js';
import type { Store } from '../../store/store.js';
import { ContextView } from '../context/context-view.js';
import type { LayerContent } from '../layer-content.js';
import { writeLayer } from '../layer-writer.js';
import type { Pinned, RemoteSource } from '../ops/source.js';
import { scratch } from '../scratch.js';
import { gitHeader } from './credentials.js';

interface GitTree {
  readonly remote: string;
  readonly ref: string;
  /** Relative and clean; '' is all of it. */
  readonly subDir: string;
  readonly checksum?: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  readonly times: 'checkout' | 'commit';
  readonly fetchByCommit: boolean;
}

/**
 * Git repositories: the files of one commit, owned by root. What was fetched of a remote stays in the store, so that
 * the next commit brings only what is new. Asked for once in a job.
 */
export class GitTrees implements RemoteSource {
  readonly #store: Store;
  readonly #layers: LayerContent;
  readonly #found = new Map<string, Promise<GitCommit>>();

  constructor(store: Store, layers: LayerContent) {
    this.#store = store;
    this.#layers = layers;
  }

  async key(op: SourceOp, job: JobContext): Promise<Digest> {
    const tree = treeOf(op);
    const { ref, sha, tagged } = await this.#find(op, tree, job);
    const { subDir, keepGitDir, submodules, times } = tree;
    // A tag and the commit that it stands for are the same files; a `.git` knows the difference.
    const commit = keepGitDir ? { sha, ref } : { sha: tagged ?? sha };
    return digestOf(canonicalJson({ kind: 'git', ...commit, subDir, keepGitDir, submodules, times }));
  }

  async pin(op: SourceOp, job: JobContext): Promise<Pinned> {
    const { sha } = await this.#find(op, treeOf(op), job);
    return { algorithm: sha.length === 64 ? 'sha256' : 'sha1', hex: sha };
  }

  async fetch(op: SourceOp, job: JobContext): Promise<string> {
    const tree = treeOf(op);
    const commit = await this.#find(op, tree, job);
    const { paths, refs, holding } = this.#store;
    const name = hexOf(digestOf(tree.remote)).slice(0, 32);
    const git = await openGit(op, tree, job);
    using work = scratch(this.#store);
    const dir = path.join(work.dir, 'files');
    mkdirSync(dir, { mode: 0o755 });
    await holding.hold('git', name);
    const repository = new GitRepository(paths.git(name), git);
    const mtime = await withLock(paths.lock(`git-${name}`), job.signal, async () => {
      await repository.fetch(tree.remote, commit, job);
      const { remote, submodules, subDir } = tree;
      const keepGitDir = tree.keepGitDir && subDir === '';
      await repository.checkout(commit, dir, { remote, keepGitDir, submodules, signal: job.signal });
      return tree.times === 'commit' ? await repository.commitTime(commit, job) : Math.floor(job.now() / 1000);
    });
    const id = refs.newId();
    const items = itemsOf(subDirectory(dir, tree.subDir), mtime, job.signal);
    await refs.saveLayer(id, await writeLayer(items, this.#store, this.#layers));
    // The time of a ref is that of its root directory.
    await refs.save({ id, createdAt: mtime * 1000, description: redact(`${tree.remote}#${tree.ref}`) });
    return id;
  }

  #find(op: SourceOp, tree: GitTree, job: JobContext): Promise<GitCommit> {
    const { remote, ref, checksum, fetchByCommit } = tree;
    const key = canonicalJson([remote, ref, checksum ?? null, fetchByCommit]);
    let found = this.#found.get(key);
    if (!found) {
      found = openGit(op, tree, job).then((git) => findCommit(git, tree, job));
      this.#found.set(key, found);
    }
    return found;
  }
}

async function openGit({ attrs }: SourceOp, { remote }: GitTree, job: JobContext): Promise<Git> {
  const header = await gitHeader(remote, attrs, job.session);
  const agent = attrs['git.mountsshsock'];
  const sshAgent = agent === undefined ? undefined : job.session.agents?.get(agent);
  return new Git({ ...(header && { header }), ...(sshAgent !== undefined && { sshAgent }) });
}

function treeOf({ identifier, attrs }: SourceOp): GitTree {
  const hash = identifier.indexOf('#');
  const fragment = hash < 0 ? '' : identifier.slice(hash + 1);
  const colon = fragment.indexOf(':');
  const checksum = attrs['git.checksum'];
  return {
    remote: attrs['git.fullurl'] ?? `https://${identifier.slice('git://'.length, hash < 0 ? undefined : hash)}`,
    ref: colon < 0 ? fragment : fragment.slice(0, colon),
    subDir: colon < 0 ? '' : path.posix.join('/', fragment.slice(colon + 1)).replace(/^\/|\/$/g, ''),
    ...(checksum !== undefined && { checksum }),
    keepGitDir: attrs['git.keepgitdir'] === 'true',
    submodules: attrs['git.skipsubmodules'] !== 'true',
    times: attrs['git.mtime'] === 'commit' ? 'commit' : 'checkout',
    fetchByCommit: attrs['git.fetchbycommit'] === 'true',
  };
}

/** The repository decides what its names are: a link among them could lead anywhere. */
function subDirectory(dir: string, subDir: string): string {
  let at = dir;
  for (const name of subDir === '' ? [] : subDir.split('/')) {
    at = path.join(at, name);
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats?.isDirectory()) continue;
    const wrong = path.relative(dir, at);
    const why = stats
      ? `git subpath "${subDir}" contains non-directory "${wrong}"`
      : `lstat ${wrong}: no such file or directory`;
    throw new BuildError('FETCH_FAILED', `invalid subdir ${subDir}: ${why}`);
  }
  return at;
}

/** All that is below a directory, in the order of a tar. */
function itemsOf(dir: string, mtime: number, signal: AbortSignal): readonly PackItem[] {
  const view = new ContextView(dir);
  const items: PackItem[] = [];
  const walk = (at: string): void => {
    signal.throwIfAborted();
    for (const name of view.list(at) ?? []) {
      const below = at === '' ? name : `${at}/${name}`;
      const { inode: _, ...entry } = view.lstat(below)!;
      const file = view.hostPath(below);
      const content = { kind: 'file', file: typeof file === 'string' ? fromText(file) : fromBytes(file) } as const;
      items.push({ entry: { ...entry, mtime }, ...(entry.type === 'file' && { content }) });
      if (entry.type === 'dir') walk(below);
    }
  };
  walk('');
  return items;
}
