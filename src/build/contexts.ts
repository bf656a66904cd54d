import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { readStdin } from '../base/read-stdin.js';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { parseGitRef } from '../dockerfile/git-ref.js';
import { gitSource, httpSource } from '../dockerfile/to-llb/remote-source.js';
import type { LocalContext } from '../job/context.js';
import type { SourceOp } from '../llb/types.js';
import { parseLayoutPlace } from '../transfer/location.js';
import type { ImageContext } from './base-images.js';
import { normalizeContextName } from './base-images.js';

/** The Dockerfile as it was found. */
export interface DockerfileSource {
  /** As shown in errors. */
  readonly fileName: string;
  readonly source: string;
  /** Absolute; absent for stdin. */
  readonly path?: string;
}

/** Finds and reads the Dockerfile of a local directory. Throws DOCKERFILE_NOT_FOUND in BuildKit's words. */
export async function readDockerfile(
  context: string,
  file: string | undefined,
  { signal }: Cancel,
): Promise<DockerfileSource> {
  if (file === '-') return { fileName: 'Dockerfile', source: await readText(readStdin({ signal })) };
  if (/^(https?|git|ssh):\/\/|^git@|^-$/.test(context)) {
    throw new BuildError('UNSUPPORTED', `checks of the context \`${context}\` are not supported by this version`, {
      hint: 'check a local directory',
    });
  }
  const candidates = file === undefined ? ['Dockerfile', 'dockerfile'].map((name) => path.join(context, name)) : [file];
  for (const candidate of candidates) {
    try {
      const source = readFileSync(candidate, 'utf8');
      return { fileName: path.basename(candidate), source, path: path.resolve(candidate) };
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) continue;
      throw new BuildError('DOCKERFILE_NOT_FOUND', `cannot read the Dockerfile \`${candidate}\``, { cause: error });
    }
  }
  if (file === undefined) await requireDirectory(context, 'the build context');
  throw new BuildError(
    'DOCKERFILE_NOT_FOUND',
    `failed to read dockerfile: open ${path.basename(candidates[0]!)}: no such file or directory`,
    { hint: `looked for \`${candidates.join('`, `')}\`; name it with \`-f\`` },
  );
}

/** The main context with its ignore file: `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore`. */
export async function mainContext(dir: string, dockerfile: DockerfileSource): Promise<LocalContext> {
  const absolute = await requireDirectory(dir, 'the build context');
  const own = dockerfile.path && (await readIfThere(`${dockerfile.path}.dockerignore`));
  return { dir: absolute, ignore: own ?? (await readIfThere(path.join(absolute, '.dockerignore'))) ?? '' };
}

export interface NamedContexts {
  readonly locals: ReadonlyMap<string, LocalContext>;
  readonly images: ReadonlyMap<string, ImageContext>;
  /** `docker-image://scratch`: an empty file system. */
  readonly empty: ReadonlySet<string>;
  /** Git repositories, and URLs, each of which is a file named `context`. */
  readonly remotes: ReadonlyMap<string, SourceOp>;
}

/** Reads `--build-context` values. Throws USAGE, CONTEXT_INVALID. */
export async function namedContexts(given: Readonly<Record<string, string>>): Promise<NamedContexts> {
  const locals = new Map<string, LocalContext>();
  const images = new Map<string, ImageContext>();
  const empty = new Set<string>();
  const remotes = new Map<string, SourceOp>();
  for (const [rawName, value] of Object.entries(given)) {
    const name = normalizeContextName(rawName);
    if (value.startsWith('oci-layout://')) {
      images.set(name, { kind: 'layout', ...parseLayoutPlace(value.slice('oci-layout://'.length)) });
    } else if (value === 'docker-image://scratch') empty.add(name);
    else if (value.startsWith('docker-image://')) {
      images.set(name, { kind: 'image', reference: value.slice('docker-image://'.length) });
    } else if (/^[a-z][a-z0-9+.-]*:\/\//.test(value) || value.startsWith('git@')) {
      remotes.set(name, remoteContext(rawName, value));
    } else {
      const dir = await requireDirectory(value, `the build context \`${rawName}\``);
      locals.set(name, { dir, ignore: (await readIfThere(path.join(dir, '.dockerignore'))) ?? '' });
    }
  }
  return { locals, images, empty, remotes };
}

function remoteContext(name: string, value: string): SourceOp {
  const git = parseGitRef(value);
  if (git.kind === 'fault') throw new BuildError('CONTEXT_INVALID', git.message);
  if (git.kind === 'git') return gitSource(git.ref, git.ref.keepGitDir ?? false);
  if (/^https?:\/\//.test(value)) return httpSource(value, 'context');
  throw new BuildError('USAGE', `unsupported context source ${value.split(':', 1)[0]} for ${name}`, {
    hint: 'give a path, `oci-layout://DIR[:TAG]`, `docker-image://NAME`, a URL or the address of a git repository',
  });
}

async function requireDirectory(dir: string, what: string): Promise<string> {
  const absolute = path.resolve(dir);
  try {
    if (statSync(absolute).isDirectory()) return absolute;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new BuildError('CONTEXT_INVALID', `${what} \`${dir}\` was not found`, {
      hint: 'the last argument is the directory that COPY reads from, often `.`',
      cause: error,
    });
  }
  throw new BuildError('CONTEXT_INVALID', `${what} \`${dir}\` is not a directory`);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
