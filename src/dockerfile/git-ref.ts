import { BuildError } from '../base/errors.js';
import { parseBool, quote } from './go-text.js';

/** A git repository as ADD and build contexts name it, with the revision and directory wanted. */
export interface GitRef {
  /** What `git clone` takes: without query and fragment. */
  readonly remote: string;
  /** Last part of the path, without `.git`. */
  readonly shortName: string;
  /** Branch, tag or commit. */
  readonly ref?: string;
  /** Commit that `ref` has to be. */
  readonly checksum?: string;
  readonly subDir?: string;
  /** `github.com/…` without a scheme: could be a local path, so only build contexts accept it. */
  readonly indistinguishableFromLocal?: boolean;
  readonly unencryptedTcp?: boolean;
  readonly keepGitDir?: boolean;
  readonly submodules?: boolean;
  /** Where the times of checked-out files come from. */
  readonly mtime?: 'checkout' | 'commit';
  /** `checksum` is fetched by itself instead of `ref`. */
  readonly fetchByCommit?: boolean;
}

/** `notGit` says why a text is not a git reference; `fault` that it is one with a mistake in it. In BuildKit's words. */
export type GitRefResult =
  | { readonly kind: 'git'; readonly ref: GitRef }
  | { readonly kind: 'fault'; readonly message: string }
  | { readonly kind: 'notGit'; readonly reason: string };

const URL_FORM = /^([a-zA-Z0-9]+):\/\/([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
const SCP_FORM = /^[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
const NOT_A_SOURCE = { kind: 'notGit', reason: 'invalid argument' } as const;

interface Address {
  readonly remote: string;
  readonly query: string;
  readonly fragment: string;
  readonly indistinguishableFromLocal?: boolean;
  readonly unencryptedTcp?: boolean;
}

export function parseGitRef(text: string): GitRefResult {
  const address = splitAddress(text);
  if ('kind' in address) return address;
  try {
    return { kind: 'git', ref: readAddress(address) };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    return { kind: 'fault', message: error.message };
  }
}

/**
 * The short form with a fragment, `remote#ref[:subdir]`, which old tools read; undefined when `text` is not a sound
 * git reference.
 */
export function gitFragmentForm(text: string, withSubdir: boolean): string | undefined {
  const result = parseGitRef(text);
  if (result.kind !== 'git') return undefined;
  const { remote, ref = '', subDir = '' } = result.ref;
  const dir = subDir.replace(/^\/+/, '');
  const fragment = withSubdir && dir !== '' ? `${ref}:${dir}` : ref;
  return fragment === '' ? remote : `${remote}#${fragment}`;
}

function splitAddress(text: string): Address | (GitRefResult & { readonly kind: 'notGit' }) {
  if (text.startsWith('./') || text.startsWith('../')) return NOT_A_SOURCE;
  if (text.startsWith('github.com/')) {
    const [, , path = '', query = '', fragment = ''] = URL_FORM.exec(`https://${text}`)!;
    return { remote: path, query, fragment, indistinguishableFromLocal: true };
  }
  const url = URL_FORM.exec(text);
  if (url) {
    const [, rawScheme = '', rest = '', query = '', fragment = ''] = url;
    const scheme = rawScheme.toLowerCase();
    if (!['http', 'https', 'ssh', 'git'].includes(scheme)) {
      return { kind: 'notGit', reason: `${scheme}: invalid protocol` };
    }
    const slash = rest.indexOf('/');
    const path = slash < 0 ? '' : decoded(rest.slice(slash));
    if (scheme.startsWith('http') && !path.endsWith('.git')) return NOT_A_SOURCE;
    const unencryptedTcp = scheme === 'http' || scheme === 'git';
    return { remote: `${scheme}://${rest}`, query, fragment, ...(unencryptedTcp && { unencryptedTcp }) };
  }
  const scp = SCP_FORM.exec(text);
  if (!scp) return { kind: 'notGit', reason: 'unknown protocol' };
  return { remote: text.slice(0, text.search(/[?#]|$/)), query: scp[2] ?? '', fragment: scp[3] ?? '' };
}

function readAddress({ remote, query, fragment, ...flags }: Address): GitRef {
  const plain = decoded(fragment);
  const colon = plain.indexOf(':');
  let ref = colon < 0 ? plain : plain.slice(0, colon);
  let subDir = colon < 0 ? '' : plain.slice(colon + 1);
  const given = readQuery(query);
  const choose = (what: string, before: string, now: string | undefined): string => {
    if (before !== '' && now && before !== now) throw fault(`${what} conflicts: ${quote(before)} vs ${quote(now)}`);
    return now || before;
  };
  ref = choose('ref', ref, given.get('ref'));
  subDir = choose('subdir', subDir, given.get('subdir'));
  const keepGitDir = flag(given, 'keep-git-dir');
  const submodules = flag(given, 'submodules');
  const fetchByCommit = flag(given, 'fetch-by-commit');
  const mtime = given.get('mtime');
  if (mtime !== undefined && mtime !== 'checkout' && mtime !== 'commit') {
    throw fault(`invalid mtime value: ${quote(mtime)} (must be "checkout" or "commit")`);
  }
  const tag = given.get('tag');
  ref = choose('ref', ref, tag && withPrefix('refs/tags/', tag));
  const branch = given.get('branch');
  if (branch && tag) throw fault('branch conflicts with tag');
  ref = choose('ref', ref, branch && withPrefix('refs/heads/', branch));
  const checksum = given.get('checksum') ?? given.get('commit');
  if (ref === '' && !fetchByCommit) ref = checksum ?? '';
  return {
    remote,
    shortName: remote.slice(remote.lastIndexOf('/') + 1).replace(/\.git$/, ''),
    ...flags,
    ...(ref !== '' && { ref }),
    ...(checksum !== undefined && { checksum }),
    ...(subDir !== '' && { subDir }),
    ...(keepGitDir !== undefined && { keepGitDir }),
    ...(submodules !== undefined && { submodules }),
    ...(mtime !== undefined && { mtime }),
    ...(fetchByCommit && { fetchByCommit }),
  };
}

const FLAGS = ['keep-git-dir', 'submodules', 'fetch-by-commit'];
const VALUES = ['ref', 'tag', 'branch', 'subdir', 'checksum', 'commit', 'mtime'];

function readQuery(query: string): Map<string, string> {
  const given = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (given.has(key)) throw fault(`query ${quote(key)} has multiple values`);
    if (value === '' && !FLAGS.includes(key)) throw fault(`query ${quote(key)} has no value`);
    if (!FLAGS.includes(key) && !VALUES.includes(key)) throw fault(`unexpected query ${quote(key)}`);
    given.set(key, value);
  }
  return given;
}

/** A flag without a value is true. */
function flag(given: ReadonlyMap<string, string>, key: string): boolean | undefined {
  const value = given.get(key);
  if (value === undefined || value === '') return value === undefined ? undefined : true;
  const parsed = parseBool(value);
  if (parsed === undefined) throw fault(`invalid ${key} value: ${quote(value)}`);
  return parsed;
}

function withPrefix(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : prefix + name;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign
  }
}

function fault(message: string): BuildError {
  return new BuildError('DOCKERFILE_INVALID', message);
}
