import type { Edge, SourceOp, VertexOptions } from '../../llb/types.js';
import { makeVertex } from '../../llb/vertex.js';
import type { Platform } from '../../oci/platform.js';
import { Fault } from '../diagnostic.js';
import { parseGitRef, type GitRef } from '../git-ref.js';
import { quote } from '../go-text.js';
import { cleanPath, joinPath } from '../paths.js';

/** What a source of COPY or ADD is when it is not a path. Throws a Fault for a faulty git address. */
export function isRemote(source: string): 'http' | 'git' | undefined {
  const git = parseGitRef(source);
  if (git.kind === 'fault') throw new Fault('git-ref', git.message);
  if (git.kind === 'git' && !git.ref.indistinguishableFromLocal) return 'git';
  return /^https?:\/\//.test(source) ? 'http' : undefined;
}

/** A source that is fetched, as ADD copies it. */
export interface RemoteRead {
  readonly edge: Edge;
  /** Path of what is copied in the fetched file system. */
  readonly src: string;
  /** Unpack it if it is an archive. */
  readonly unpack: boolean;
}

export interface RemoteReadOptions {
  readonly checksum: string;
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
  readonly platform: Platform;
  readonly vertex: VertexOptions;
}

/** For each source of an ADD what is fetched for it; undefined for paths. Throws a Fault. */
export function remoteReads(
  sources: readonly string[],
  options: RemoteReadOptions,
): readonly (RemoteRead | undefined)[] {
  let { checksum, keepGitDir } = options;
  const read = (op: SourceOp, src: string, unpack: boolean): RemoteRead => ({
    edge: { vertex: makeVertex(op, [], options.platform, options.vertex), output: 0 },
    src,
    unpack,
  });
  return sources.map((source) => {
    const git = parseGitRef(source);
    if (git.kind === 'git' && !git.ref.indistinguishableFromLocal) {
      const { ref } = git;
      if (keepGitDir !== undefined && ref.keepGitDir !== undefined && keepGitDir !== ref.keepGitDir) {
        throw new Fault('git-ref', 'inconsistent keep-git-dir configuration');
      }
      if (checksum !== '' && ref.checksum !== undefined && checksum !== ref.checksum) {
        throw new Fault('checksum', `checksum mismatch ${quote(checksum)} != ${quote(ref.checksum)}`);
      }
      // What one address says holds for the sources after it, too.
      keepGitDir = ref.keepGitDir ?? keepGitDir;
      checksum = ref.checksum ?? checksum;
      return read(gitSource({ ...ref, ...(checksum !== '' && { checksum }) }, keepGitDir ?? false), '/', false);
    }
    if (!/^https?:\/\//.test(source)) return undefined;
    const name = urlFileName(source);
    return read(httpSource(source, name, checksum), name, options.unpack ?? false);
  });
}

/** The source of one file by URL. */
export function httpSource(url: string, filename: string, checksum = ''): SourceOp {
  const attrs = { 'http.filename': filename, ...(checksum !== '' && { 'http.checksum': checksum }) };
  return { kind: 'source', identifier: url, attrs };
}

/** The source of a git repository; the same place has one identifier, whatever the protocol. */
export function gitSource(ref: GitRef, keepGitDir: boolean): SourceOp {
  const { host, path, isSsh } = splitRemote(ref.remote);
  const subDir = joinPath('/', ref.subDir ?? '').slice(1);
  const branch = ref.ref ?? '';
  const fragment = branch === '' && subDir === '' ? '' : `#${branch}${subDir === '' ? '' : `:${subDir}`}`;
  const attrs = {
    'git.fullurl': ref.remote,
    'git.authtokensecret': 'GIT_AUTH_TOKEN',
    'git.authheadersecret': 'GIT_AUTH_HEADER',
    ...(isSsh && { 'git.mountsshsock': 'default' }),
    ...(keepGitDir && { 'git.keepgitdir': 'true' }),
    ...(ref.checksum !== undefined && { 'git.checksum': ref.checksum }),
    ...(ref.submodules === false && { 'git.skipsubmodules': 'true' }),
    ...(ref.mtime !== undefined && { 'git.mtime': ref.mtime }),
    ...(ref.fetchByCommit && { 'git.fetchbycommit': 'true' }),
  };
  return { kind: 'source', identifier: `git://${host}${joinPath('/', path)}${fragment}`, attrs };
}

function splitRemote(remote: string): { readonly host: string; readonly path: string; readonly isSsh: boolean } {
  const [, scheme = '', host = '', path = ''] = /^([a-zA-Z0-9]+):\/\/(?:[^/]*@)?([^/]*)(.*)$/s.exec(remote) ?? [];
  if (scheme !== '') return { host, path, isSsh: scheme.toLowerCase() === 'ssh' };
  const colon = remote.indexOf(':');
  return { host: remote.slice(remote.indexOf('@') + 1, colon), path: remote.slice(colon + 1), isSsh: true };
}

/** Last element of a URL's path, percent-decoded. */
function urlFileName(url: string): string {
  const path = /^https?:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? '';
  try {
    const clean = cleanPath(decodeURIComponent(path));
    const base = clean.slice(clean.lastIndexOf('/') + 1);
    return base === '' || base === '.' ? UNNAMED : base;
  } catch {
    return UNNAMED; // a stray percent sign
  }
}

const UNNAMED = '__unnamed__';
