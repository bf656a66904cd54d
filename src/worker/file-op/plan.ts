import path from 'node:path';
import { fromText, toText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView } from '../../layer/ref-view.js';
import type { CopyAction, FileAction, MkdirAction, MkfileAction, RmAction, SymlinkAction } from '../../llb/types.js';
import { readArchive } from './archive.js';
import type { ChangeSet } from './change-set.js';
import { collectChanges } from './changes.js';
import { openContent, viewContent } from './content.js';
import { copyTree, type CopyOptions, type CopySource } from './copy-tree.js';
import { makeDir, makeDirs } from './make-dirs.js';
import { parseMode } from './mode-set.js';
import { newInode, Overlay } from './overlay.js';
import { resolveOwner, type UserIds } from './owner.js';
import { parseFilter } from './path-filter.js';
import { cleanPath, joinPath, parentOf, baseOf, shown } from './paths.js';
import { resolveLinks } from './resolve-links.js';
import { unpackMembers } from './unpack.js';
import { expandWildcard, hasWildcard } from './wildcard.js';

export interface PlanOptions {
  /** What a directory or file that the op makes has as its modification time: whole seconds since 1970. */
  readonly now: number;
  /** An existing directory of this machine for unpacked archives. The change sets refer to files in it. */
  readonly scratchDir: string;
  /** Undoes gzip, bzip2, xz or zstd, recognised by content; what is not compressed comes out as it is. */
  readonly decompress: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
}

/**
 * What a file op does, worked out in memory: a change set for each output, in order. Reads `inputs` only, and no bytes
 * of files but those of archives to unpack and of passwd and group. Inputs of actions from `inputs.length` on are
 * earlier actions. Throws BuildError PATH_NOT_FOUND or COPY_FAILED in BuildKit's words.
 */
export async function planFileOp(
  actions: readonly FileAction[],
  inputs: readonly RefView[],
  options: PlanOptions,
): Promise<readonly ChangeSet[]> {
  return new Plan(actions, inputs, options).run();
}

class Plan {
  readonly #actions: readonly FileAction[];
  readonly #inputs: readonly RefView[];
  readonly #options: PlanOptions;
  readonly #done: Overlay[] = [];
  #archives = 0;

  constructor(actions: readonly FileAction[], inputs: readonly RefView[], options: PlanOptions) {
    this.#actions = actions;
    this.#inputs = inputs;
    this.#options = options;
  }

  async run(): Promise<readonly ChangeSet[]> {
    const outputs: ChangeSet[] = [];
    for (const [index, action] of this.#actions.entries()) {
      this.#options.signal.throwIfAborted();
      const overlay = this.#overlayFor(action, index);
      await this.#apply(action, overlay);
      this.#done.push(overlay);
    }
    for (const [index, action] of this.#actions.entries()) {
      if (action.output < 0) continue;
      const view = this.#done[index]!;
      outputs[action.output] = { base: view.options.base, changes: await collectChanges(view), view };
    }
    return outputs;
  }

  /** The state that the action changes: its input's own if nobody else needs it, else a copy. */
  #overlayFor(action: FileAction, index: number): Overlay {
    const earlier = action.input - this.#inputs.length;
    if (earlier < 0) return new Overlay({ inputs: this.#inputs, base: action.input, now: this.#options.now });
    const overlay = this.#done[earlier];
    if (overlay === undefined) throw new BuildError('COPY_FAILED', `invalid input index ${action.input}`);
    const needed =
      this.#actions[earlier]!.output >= 0 ||
      this.#actions.some((other, at) => at !== index && [other.input, other.secondaryInput].includes(action.input)) ||
      action.secondaryInput === action.input;
    return needed ? overlay.clone() : overlay;
  }

  async #apply({ input, secondaryInput, action }: FileAction, overlay: Overlay): Promise<void> {
    const owner = 'owner' in action ? await resolveOwner(action.owner, input < 0 ? undefined : overlay) : undefined;
    switch (action.type) {
      case 'copy':
        return this.#copy(action, secondaryInput, overlay, owner);
      case 'mkdir':
        return mkdir(action, overlay, owner);
      case 'mkfile':
        return mkfile(action, overlay, owner);
      case 'symlink':
        return symlink(action, overlay, owner);
      case 'rm':
        return rm(action, overlay);
    }
  }

  async #copy(action: CopyAction, input: number, overlay: Overlay, owner: UserIds | undefined): Promise<void> {
    const source = this.#sourceOf(input);
    const src = keepEnding(fromText(action.src));
    const dest = keepEnding(fromText(action.dest));
    const include = parseFilter('include', action.includePatterns);
    const exclude = parseFilter('exclude', action.excludePatterns);
    if (input >= 0) requireSources(action, source.view, src);
    if (!action.createDestPath) requireDestParent(overlay, dest, action.dest);
    const options: CopyOptions = {
      owner,
      mode: action.modeStr !== undefined && action.modeStr !== '' ? undefined : octal(action.mode),
      changeMode: action.modeStr !== undefined && action.modeStr !== '' ? parseMode(action.modeStr) : undefined,
      mtime: seconds(action.timestamp),
      followLinks: action.followSymlink,
      dirContents: action.dirCopyContents,
      replaceExisting: action.alwaysReplaceExistingDestPaths ?? false,
      include,
      exclude,
      signal: this.#options.signal,
    };
    const sources = action.allowWildcard ? expandWildcard(source.view, src, action.followSymlink) : [src];
    if (sources.length === 0 && !action.allowEmptyWildcard) {
      throw new BuildError('PATH_NOT_FOUND', `${toText(src)} not found`);
    }
    for (const one of sources) {
      if (action.attemptUnpackDockerCompatibility && (await this.#unpack(source, one, overlay, dest, options)))
        continue;
      copyTree(source, one, overlay, dest, options);
    }
  }

  async #unpack(
    source: CopySource,
    src: ByteString,
    overlay: Overlay,
    dest: ByteString,
    { owner, mtime, signal }: CopyOptions,
  ): Promise<boolean> {
    const from = resolveLinks(source.view, src);
    const entry = source.view.lstat(from);
    if (entry?.type !== 'file' || entry.size === 0) return false;
    const bytes = this.#options.decompress(openContent(source.contentOf(from, entry.size), this.#inputs));
    const spoolFile = path.join(this.#options.scratchDir, `archive-${this.#archives++}`);
    const members = await readArchive(bytes, spoolFile, signal);
    if (members === undefined) return false;
    const to = resolveLinks(overlay, dest);
    makeDirs(overlay, to, { mode: 0o755, owner, mtime });
    unpackMembers(members, overlay, to, owner);
    return true;
  }

  #sourceOf(input: number): CopySource {
    const earlier = input - this.#inputs.length;
    if (input < 0) {
      const view = new Overlay({ inputs: [], base: -1, now: this.#options.now });
      return { view, contentOf: (at) => view.contentOf(at)! };
    }
    if (earlier < 0) {
      const view = this.#inputs[input]!;
      return { view, contentOf: (at, size) => viewContent(this.#inputs, input, at, size) };
    }
    const view = this.#done[earlier];
    if (view === undefined) throw new BuildError('COPY_FAILED', `invalid secondary input index ${input}`);
    return { view, contentOf: (at) => view.contentOf(at)! };
  }
}

/** What BuildKit finds missing while it computes the cache key of a copy. */
function requireSources(action: CopyAction, view: RefView, src: ByteString): void {
  const isFiltered = (action.includePatterns?.length ?? 0) > 0 || (action.excludePatterns?.length ?? 0) > 0;
  const wanted = isFiltered ? (action.requiredPaths ?? []).map(fromText) : [src];
  if (!isFiltered && action.allowWildcard && hasWildcard(src)) return;
  for (const one of wanted) {
    if (view.lstat(resolveLinks(view, one, action.followSymlink)) === undefined) {
      throw new BuildError('PATH_NOT_FOUND', `${JSON.stringify(shown(cleanPath(one)))}: not found`);
    }
  }
}

function requireDestParent(overlay: Overlay, dest: ByteString, text: string): void {
  const parent = parentOf(resolveLinks(overlay, dest));
  if (overlay.lstat(parent) === undefined) {
    throw new BuildError('COPY_FAILED', `failed to stat ${text}: lstat ${shown(parent)}: no such file or directory`);
  }
}

function mkdir(action: MkdirAction, overlay: Overlay, owner: UserIds | undefined): void {
  const to = resolveLinks(overlay, fromText(action.path));
  const options = { mode: action.mode, owner, mtime: seconds(action.timestamp) };
  if (action.makeParents) makeDirs(overlay, to, options);
  else if (overlay.lstat(to) === undefined) {
    requireParent(overlay, 'mkdir', to);
    makeDir(overlay, to, options);
  }
}

function mkfile(action: MkfileAction, overlay: Overlay, owner: UserIds | undefined): void {
  const to = resolveLinks(overlay, fromText(action.path));
  const data = Buffer.from(action.data, 'base64');
  const there = overlay.change(to);
  if (there?.type === 'dir') throw new BuildError('COPY_FAILED', `open ${shown(to)}: is a directory`);
  const inode = there ?? newInode('file', action.mode & 0o777, overlay.options.now);
  if (there === undefined) {
    requireParent(overlay, 'open', to);
    inheritGroup(overlay, to, inode);
    overlay.put(to, inode);
  }
  inode.size = data.length;
  inode.content = { kind: 'bytes', data };
  if (owner !== undefined) Object.assign(inode, owner);
  inode.mtime = seconds(action.timestamp) ?? overlay.options.now;
}

function symlink(action: SymlinkAction, overlay: Overlay, owner: UserIds | undefined): void {
  const to = resolveLinks(overlay, fromText(action.newpath));
  if (overlay.lstat(to) !== undefined) {
    throw new BuildError('COPY_FAILED', `symlink ${action.oldpath} ${shown(to)}: file exists`);
  }
  requireParent(overlay, `symlink ${action.oldpath}`, to);
  const inode = newInode('symlink', 0o777, overlay.options.now);
  inode.linkname = fromText(action.oldpath);
  inheritGroup(overlay, to, inode);
  overlay.put(to, inode);
  if (owner !== undefined) Object.assign(inode, owner);
  inode.mtime = seconds(action.timestamp) ?? overlay.options.now;
}

function rm(action: RmAction, overlay: Overlay): void {
  const text = keepEnding(fromText(action.path));
  for (const one of action.allowWildcard ? expandWildcard(overlay, text, false) : [text]) {
    const clean = cleanPath(one);
    if (clean === '') throw new BuildError('COPY_FAILED', 'rmPath: invalid empty path');
    const at = joinPath(resolveLinks(overlay, parentOf(clean)), baseOf(clean));
    if (!action.allowNotFound && overlay.lstat(resolveLinks(overlay, at)) === undefined) {
      throw new BuildError('PATH_NOT_FOUND', `stat ${shown(at)}: no such file or directory`);
    }
    overlay.remove(at);
  }
}

function requireParent(overlay: Overlay, verb: string, at: ByteString): void {
  const parent = overlay.lstat(parentOf(at));
  if (parent?.type === 'dir') return;
  const reason = parent === undefined ? 'no such file or directory' : 'not a directory';
  throw new BuildError('COPY_FAILED', `${verb} ${shown(at)}: ${reason}`);
}

/** A setgid directory gives its group to what is made in it. */
function inheritGroup(overlay: Overlay, at: ByteString, inode: { gid: number }): void {
  const parent = overlay.lstat(parentOf(at));
  if (parent !== undefined && (parent.mode & 0o2000) !== 0) inode.gid = parent.gid;
}

/** Clean and absolute, but a trailing `/` or `/.` is kept, as it says that a directory is meant. */
function keepEnding(text: ByteString): ByteString {
  const clean = `/${cleanPath(text)}`;
  if (text.endsWith('/.')) return clean === '/' ? '/.' : `${clean}/.`;
  return text.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

function octal(mode: number): number | undefined {
  return mode === -1 ? undefined : mode & 0o7777;
}

/** Nanoseconds as decimal text to whole seconds, rounded down; '-1' and nothing are undefined. */
function seconds(timestamp: string | undefined): number | undefined {
  if (timestamp === undefined || timestamp === '-1') return undefined;
  const nanoseconds = BigInt(timestamp);
  const billion = 1_000_000_000n;
  const floor = nanoseconds / billion - (nanoseconds % billion < 0n ? 1n : 0n);
  return Number(floor);
}
