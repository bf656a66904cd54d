import { constants, createWriteStream, mkdirSync } from 'node:fs';
import { statSync } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fromText } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { readStdin } from '../base/read-stdin.js';
import { parseGitRef } from '../dockerfile/git-ref.js';
import { FileOpBuilder } from '../dockerfile/to-llb/file-op.js';
import { gitSource, httpSource } from '../dockerfile/to-llb/remote-source.js';
import type { JobContext } from '../job/context.js';
import { detectCompression } from '../layer/compression.js';
import type { RefView } from '../layer/ref-view.js';
import { BLOCK } from '../layer/tar-format.js';
import { parseHeader } from '../layer/tar-header.js';
import type { Edge, SourceOp, VertexDigest } from '../llb/types.js';
import { makeVertex, topological } from '../llb/vertex.js';
import { hostPlatform } from '../oci/platform.js';
import type { Store } from '../store/store.js';
import { ContextViews } from '../worker/context/context-views.js';
import { resolveLinks } from '../worker/file-op/resolve-links.js';
import { LayerContent } from '../worker/layer-content.js';
import type { RefId } from '../worker/machine.js';
import { RefViews } from '../worker/ref-views.js';
import { mainContext, readDockerfile, type DockerfileSource } from './contexts.js';
import { evaluate, type Evaluation } from './evaluate.js';
import type { BuildOptions } from './options.js';

/** What a build reads from. */
export interface MainContext {
  readonly file: DockerfileSource;
  /** Lent to the job as the context, with the text of its ignore file; a remote context has none of its own. */
  readonly local: { readonly dir: string; readonly ignore: string } | undefined;
  /** The context as the graph has it, when it is not a local directory. */
  readonly edge?: Edge;
  /** What was evaluated, and told of, while the Dockerfile was looked for. */
  readonly told: ReadonlySet<VertexDigest>;
}

type ContextOptions = Pick<BuildOptions, 'context' | 'file' | 'buildArgs' | 'signal'>;

/** A URL that stands for what came on stdin; the name is BuildKit's for it. */
const STDIN = 'http://buildkit-session/stdin';
/** The same for an archive among the files of this machine. */
const ARCHIVE = 'http://buildkit-session/archive';
const ARCHIVE_PREFIX = 'tar://';
const NOTHING_TOLD: ReadonlySet<VertexDigest> = new Set();
/** Name of a file that is the whole context. */
const FILE = 'context';

/**
 * Opens the context that a build names: a directory, the address of a git repository, an http(s) URL of an archive or
 * of a Dockerfile, `tar://FILE`, or `-`, which is the one or the other on stdin. Finds the Dockerfile in it, or where `file` says.
 * `uploads` takes what came on stdin. Throws CONTEXT_INVALID, DOCKERFILE_NOT_FOUND, FETCH_FAILED, USAGE.
 */
export async function openMainContext(
  options: ContextOptions,
  evaluation: Evaluation,
  uploads: Map<string, string>,
  job: JobContext,
): Promise<MainContext> {
  const { context, file } = options;
  if (context === '-') return await fromStdin(options, evaluation, uploads, job);
  if (context.startsWith(ARCHIVE_PREFIX)) return await fromArchive(options, evaluation, uploads, job);
  const source = isDirectory(context) ? undefined : contextSource(options);
  if (source === undefined) {
    const dockerfile = await readDockerfile(context, file, options);
    return { file: dockerfile, local: await mainContext(context, dockerfile), told: NOTHING_TOLD };
  }
  if (source.identifier.startsWith('git://')) {
    const edge = sourceEdge(source, `[internal] load git source ${context}`);
    return await inRemote(edge, undefined, options, evaluation, job);
  }
  return await fromFile(sourceEdge(source, '[internal] load remote build context'), options, evaluation, job);
}

/** What a context that is no directory stands for; undefined for a path. Throws CONTEXT_INVALID for a faulty address. */
function contextSource({ context, buildArgs = {} }: ContextOptions): SourceOp | undefined {
  const git = parseGitRef(context);
  if (git.kind === 'fault') throw new BuildError('CONTEXT_INVALID', git.message);
  if (git.kind === 'git') {
    const keep =
      git.ref.keepGitDir === true || /^(?:1|t|true)$/i.test(buildArgs['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '');
    // With an epoch the image is to be the same each time, so the times are the repository's.
    return gitSource({ ...(buildArgs['SOURCE_DATE_EPOCH'] ? { mtime: 'commit' } : {}), ...git.ref }, keep);
  }
  return /^https?:\/\//.test(context) ? httpSource(context, FILE) : undefined;
}

async function fromStdin(
  options: ContextOptions,
  evaluation: Evaluation,
  uploads: Map<string, string>,
  job: JobContext,
): Promise<MainContext> {
  if (options.file === '-') {
    throw new BuildError('USAGE', "invalid argument: can't use stdin for both build context and dockerfile");
  }
  const { store } = evaluation;
  const spool = await store.blobs.tempPath();
  await pipeline(readStdin(options), createWriteStream(spool, { mode: 0o600 }));
  uploads.set(STDIN, spool);
  const edge = sourceEdge(httpSource(STDIN, FILE), '[internal] load build context from stdin');
  const opened = await fromFile(edge, options, evaluation, job);
  if (opened.edge !== edge) return opened;
  if (options.file !== undefined) {
    throw new BuildError('USAGE', 'ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles');
  }
  const dir = await store.blobs.tempPath();
  mkdirSync(dir);
  return { file: opened.file, local: { dir, ignore: '' }, told: opened.told };
}

async function fromArchive(
  options: ContextOptions,
  evaluation: Evaluation,
  uploads: Map<string, string>,
  job: JobContext,
): Promise<MainContext> {
  const file = path.resolve(options.context.slice(ARCHIVE_PREFIX.length));
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    throw new BuildError('CONTEXT_INVALID', `cannot read the archive \`${file}\` that the context is`, {
      cause: error,
    });
  }
  uploads.set(ARCHIVE, file);
  return await fromFile(
    sourceEdge(httpSource(ARCHIVE, FILE), `[internal] load ${options.context}`),
    options,
    evaluation,
    job,
  );
}

/** An archive is unpacked; any other file is the Dockerfile, and the only file of the context. */
async function fromFile(
  edge: Edge,
  options: ContextOptions,
  evaluation: Evaluation,
  job: JobContext,
): Promise<MainContext> {
  const ref = await evaluate(edge, evaluation, job);
  const told = new Set([edge.vertex.digest]);
  const { store } = evaluation;
  if (await readFrom(store, ref, job, (view) => isArchive(view))) {
    const unpack = {
      type: 'copy',
      src: `/${FILE}`,
      dest: '/',
      mode: -1,
      followSymlink: false,
      dirCopyContents: false,
      attemptUnpackDockerCompatibility: true,
      createDestPath: false,
      allowWildcard: false,
      allowEmptyWildcard: false,
    } as const;
    const name = '[internal] unpack build context';
    const unpacked = new FileOpBuilder(undefined).add(unpack, edge).build(hostPlatform(), { name });
    return await inRemote(unpacked, told, options, evaluation, job);
  }
  const source = await readFrom(store, ref, job, (view) => view.readFile(FILE, limits.documentBytes));
  const stdin = options.file === '-' ? await readDockerfile('', '-', options) : undefined;
  const file = stdin ?? { fileName: 'Dockerfile', source: source!.toString('utf8') };
  return { file, local: undefined, edge, told };
}

async function inRemote(
  edge: Edge,
  told: ReadonlySet<VertexDigest> | undefined,
  options: ContextOptions,
  evaluation: Evaluation,
  job: JobContext,
): Promise<MainContext> {
  const ref = await evaluate(edge, evaluation, withoutTold(job, told ?? NOTHING_TOLD));
  const file =
    options.file === '-'
      ? await readDockerfile('', '-', options)
      : await readFrom(evaluation.store, ref, job, (view) => dockerfileIn(view, options.file));
  return { file, local: undefined, edge, told: new Set(topological(edge.vertex).map(({ digest }) => digest)) };
}

/** The job, silent about what was told before. */
export function withoutTold(job: JobContext, told: ReadonlySet<VertexDigest>): JobContext {
  if (told.size === 0) return job;
  return { ...job, emit: (event) => void ('vertex' in event && told.has(event.vertex) ? undefined : job.emit(event)) };
}

/** `file` is a path in the context. */
async function dockerfileIn(view: RefView, file: string | undefined): Promise<DockerfileSource> {
  const candidates = file === undefined ? ['Dockerfile', 'dockerfile'] : [file];
  for (const candidate of candidates) {
    const bytes = await view.readFile(resolveLinks(view, fromText(candidate)), limits.documentBytes);
    if (bytes) return { fileName: candidate.replace(/^.*\//, ''), source: bytes.toString('utf8') };
  }
  throw new BuildError(
    'DOCKERFILE_NOT_FOUND',
    `failed to read dockerfile: open ${candidates[0]}: no such file or directory`,
    { hint: `looked for \`${candidates.join('`, `')}\` in the context; name it with \`-f\`` },
  );
}

async function isArchive(view: RefView): Promise<boolean> {
  let head = Buffer.alloc(0);
  for await (const chunk of view.open(FILE)) {
    head = Buffer.concat([head, chunk]);
    if (head.length >= BLOCK) break;
  }
  return detectCompression(head) !== 'none' || (head.length >= BLOCK && parseHeader(head) !== undefined);
}

async function readFrom<T>(store: Store, ref: RefId, job: JobContext, read: (view: RefView) => Promise<T>): Promise<T> {
  const views = new RefViews(store, new LayerContent(store), new ContextViews(), undefined);
  using open = await views.openRef(ref, { signal: job.signal, now: job.now() });
  return await read(open.view);
}

function sourceEdge(op: SourceOp, name: string): Edge {
  return { vertex: makeVertex(op, [], hostPlatform(), { name }), output: 0 };
}

function isDirectory(dir: string): boolean {
  try {
    return statSync(dir).isDirectory();
  } catch {
    return false;
  }
}
