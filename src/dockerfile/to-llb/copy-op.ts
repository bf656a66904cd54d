import type { CopyAction, Edge } from '../../llb/types.js';
import { makeVertex } from '../../llb/vertex.js';
import { Fault } from '../diagnostic.js';
import { actionPath, hasWildcards, joinPath, pathIn } from '../paths.js';
import type { AddInstruction } from '../instructions/add.js';
import type { CopyInstruction } from '../instructions/copy.js';
import type { InlineFile } from '../instructions/sources.js';
import { chmodOf } from './chmod.js';
import { FileOpBuilder } from './file-op.js';
import { ownerOf } from './owner.js';
import type { RemoteRead } from './remote-source.js';
import type { StageBuild } from './stage-build.js';

/** A COPY or ADD with its variables filled in. */
export interface CopyRequest {
  readonly instruction: CopyInstruction | AddInstruction;
  readonly sources: readonly string[];
  readonly dest: string;
  readonly chown: string;
  readonly chmod: string;
  /** Keep the directories above each source. */
  readonly parents: boolean;
  /** Unpack archives. */
  readonly unpack: boolean;
  /** Where the sources are; undefined is an empty file system. */
  readonly from: Edge | undefined;
  /** What is fetched for a source, by its index. */
  readonly remotes?: readonly (RemoteRead | undefined)[];
}

/** The variables of COPY and ADD, in the order in which BuildKit fills them in. */
export function expandCopy(
  build: StageBuild,
  instruction: CopyInstruction | AddInstruction,
): Pick<CopyRequest, 'sources' | 'dest' | 'chown' | 'chmod'> {
  const { expand } = build;
  const chown = expand(instruction.chown);
  const chmod = expand(instruction.chmod);
  const sources = instruction.sources.map(expand);
  return { chown, chmod, sources, dest: expand(instruction.dest) };
}

/** Adds the copy to the stage. Throws a Fault. */
export function copyInto(build: StageBuild, request: CopyRequest): void {
  const { instruction, chown, chmod } = request;
  const files = instruction.inlineFiles.map((file) => expandInline(build, file));
  const keyword = instruction.kind.toUpperCase();
  const mode = chmodOf(chmod);
  const shown = build.shownText(instruction.original);
  const name = build.nextStep(shown);
  const link = instruction.link && chmod === '';
  const file = new FileOpBuilder(link ? undefined : build.edge);
  const shared = {
    type: 'copy',
    dest: actionPath(pathIn(build.dir, request.dest === '.' || request.dest === '' ? './' : request.dest, true), true),
    ...(chown !== '' && { owner: ownerOf(chown) }),
    ...mode,
    createDestPath: true,
    ...(instruction.exclude.length > 0 && { excludePatterns: instruction.exclude }),
  } as const;
  for (const [i, source] of request.sources.entries()) {
    const remote = request.remotes?.[i];
    if (remote !== undefined) {
      file.add({ ...shared, ...plainCopy(remote.src), attemptUnpackDockerCompatibility: remote.unpack }, remote.edge);
      continue;
    }
    const where = request.parents ? parentsSource(source) : { src: actionPath(source, false) };
    const action: CopyAction = {
      ...shared,
      ...where,
      followSymlink: true,
      dirCopyContents: true,
      attemptUnpackDockerCompatibility: request.unpack,
      allowWildcard: true,
      allowEmptyWildcard: true,
    };
    file.add(action, request.from);
  }
  for (const inline of files) {
    file.add({ ...shared, ...plainCopy(inline.path) }, inlineSource(build, inline, instruction));
  }
  const options = build.vertexOptions(name, instruction.range);
  if (link) linkOnto(build, file.build(build.platform, options), shown, instruction);
  else build.edge = file.build(build.platform, options);
  const flags = [
    ...(request.parents ? ['--parents'] : []),
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
  ];
  const inline = files.map(({ path }) => `<<${path}`);
  build.record(`${[keyword, ...flags, ...request.sources, ...inline, request.dest].join(' ')} # buildkit`, true);
}

/** Copies one path as it stands. */
function plainCopy(
  path: string,
): Pick<
  CopyAction,
  | 'src'
  | 'followSymlink'
  | 'dirCopyContents'
  | 'attemptUnpackDockerCompatibility'
  | 'allowWildcard'
  | 'allowEmptyWildcard'
> {
  return {
    src: actionPath(path, false),
    followSymlink: false,
    dirCopyContents: false,
    attemptUnpackDockerCompatibility: false,
    allowWildcard: false,
    allowEmptyWildcard: false,
  };
}

/** Tells which paths of the build context an instruction asks for. */
export function tellContextPaths(build: StageBuild, kind: 'copy' | 'add', sources: readonly string[]): void {
  const { ignore } = build.conversion;
  for (const path of sources) build.tell('contextPath', { kind, path, ignore });
}

/** Paths that a copy reads, as they are noted for the source. */
export function sourcePaths(sources: readonly string[]): readonly string[] {
  return sources.map((source) => joinPath('/', source));
}

function expandInline(build: StageBuild, file: InlineFile): InlineFile {
  if (!file.expand) return file;
  return { ...file, data: build.expandBody(file.data) };
}

/** A file system with the one file that stands in the Dockerfile. */
function inlineSource(build: StageBuild, file: InlineFile, instruction: CopyRequest['instruction']): Edge {
  const action = {
    type: 'mkfile',
    path: actionPath(file.path, false),
    mode: 0o644,
    data: Buffer.from(file.data).toString('base64'),
  } as const;
  const { ignoreCache: _, ...options } = build.vertexOptions('[internal] preparing inline document', instruction.range);
  return new FileOpBuilder(undefined).add(action).build(build.platform, options);
}

/** `--parents`: `a/./b` copies `b` of `a` together with the directories between. */
function parentsSource(source: string): Pick<CopyAction, 'src' | 'includePatterns' | 'requiredPaths'> {
  const pivot = source.indexOf('/./');
  const top = pivot < 0 ? '/' : source.slice(0, pivot);
  const pattern = pathIn('/', pivot < 0 ? source : source.slice(pivot + 3), false);
  const literal = !hasWildcards(top) && !hasWildcards(pattern);
  return {
    src: actionPath(top === '' ? '/' : top, false),
    includePatterns: [pattern.replace(/^\//, '')],
    ...(literal && { requiredPaths: [pathIn('/', joinPath(top, pattern), false)] }),
  };
}

/** `--link`: the copy is made on its own and laid over the stage. */
function linkOnto(build: StageBuild, copy: Edge, shown: string, instruction: CopyRequest['instruction']): void {
  if (build.edge === undefined) {
    build.edge = copy;
    return;
  }
  const options = build.vertexOptions(build.currentStep(`LINK ${shown}`), instruction.range);
  build.edge = { vertex: makeVertex({ kind: 'merge' }, [build.edge, copy], build.platform, options), output: 0 };
}

/** Throws a Fault for a `--checksum` that can mean nothing. `remote`: what the sources are, undefined for paths. */
export function checkChecksum(checksum: string, remote: readonly ('http' | 'git' | undefined)[]): void {
  if (checksum === '') return;
  if (remote.length !== 1) throw new Fault('checksum', "checksum can't be specified for multiple sources");
  if (remote[0] === undefined) throw new Fault('checksum', 'checksum requires HTTP(S) or Git sources');
  if (remote[0] !== 'http') return;
  if (!/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(checksum)) {
    throw new Fault(
      'checksum',
      'invalid checksum digest format',
      'write it as --checksum=sha256:<64 hexadecimal digits>',
    );
  }
  const length = DIGEST_LENGTHS[checksum.split(':', 1)[0]!];
  if (length === undefined) throw new Fault('checksum', 'unsupported digest algorithm');
  if (checksum.split(':')[1]!.length !== length) throw new Fault('checksum', 'invalid checksum digest length');
}

const DIGEST_LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };
