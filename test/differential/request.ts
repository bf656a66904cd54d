import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { copyCase, EPOCH, removeCase, type CaseOptions, type PrepareStep } from '../conformance/prepare-case.js';
import { stageNames } from '../conformance/stage-names.js';

/** A build to be made with both builders. */
export interface BuildRequest {
  readonly name: string;
  readonly contextDir: string;
  /** The Dockerfile, wherever it is. */
  readonly file: string;
  /** OCI layouts of one image each, by the name that stands in FROM. */
  readonly bases: ReadonlyMap<string, string>;
  /** Other named contexts: paths of directories. */
  readonly contexts: ReadonlyMap<string, string>;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly platform?: string;
  readonly network?: string;
  readonly allow: readonly string[];
  /** Flags of the same name and form in both builders' options. */
  readonly shmSize?: string;
  readonly ulimit?: string;
  /** Files of secrets by id. */
  readonly secrets: ReadonlyMap<string, string>;
}

/** What a directory may say of itself, in the form of the conformance data. */
interface CaseFile {
  readonly options?: CaseOptions;
  readonly prepare?: readonly PrepareStep[];
}

/**
 * The directories with something to build in or directly below `dir`, by name: such with a `case.json` or a Dockerfile.
 */
export function findCases(dir: string): readonly string[] {
  if (isCase(dir)) return [dir];
  const below = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return below
    .map((entry) => path.join(dir, entry.name))
    .filter(isCase)
    .sort();
}

function isCase(dir: string): boolean {
  return existsSync(path.join(dir, 'case.json')) || existsSync(path.join(dir, 'Dockerfile'));
}

/**
 * Calls `use` with the build of a directory. Without a `case.json` that is `docker build DIR`; with one, its context is
 * `ctx`, its options and steps are those of the conformance data, and a copy in `work` is built, which is removed after.
 */
export async function withRequest<T>(
  dir: string,
  { work, bases, file }: { work: string; bases: ReadonlyMap<string, string>; file?: string | undefined },
  use: (request: BuildRequest) => Promise<T>,
): Promise<T> {
  const name = path.basename(path.resolve(dir));
  const caseFile = path.join(dir, 'case.json');
  if (!existsSync(caseFile)) {
    return await use(request(name, dir, dir, file === undefined ? {} : { filename: file }, bases));
  }
  const { options = {}, prepare = [] } = JSON.parse(readFileSync(caseFile, 'utf8')) as CaseFile;
  const copy = path.join(work, name);
  try {
    const contextDir = copyCase(dir, prepare, copy);
    return await use(request(name, copy, contextDir, options, bases));
  } finally {
    removeCase(copy);
  }
}

function request(
  name: string,
  dir: string,
  contextDir: string,
  options: CaseOptions,
  bases: ReadonlyMap<string, string>,
): BuildRequest {
  const file = path.join(dir, options.filename ?? 'Dockerfile');
  const stages = stageNames(file);
  const named = new Map([...bases].filter(([base]) => !stages.has(base))); // it would stand in for the stage too
  const contexts = new Map<string, string>();
  for (const [context, value] of Object.entries(options.contexts ?? {})) {
    if ('dir' in value) contexts.set(context, path.join(dir, value.dir));
    else if ('image' in value && bases.has(value.image)) named.set(context, bases.get(value.image)!);
    else throw new Error(`${name}: the context \`${context}\` is neither a directory nor a base at hand`);
  }
  const secrets = new Map<string, string>();
  for (const [id, secret] of Object.entries(options.secrets ?? {})) {
    if (!('file' in secret)) throw new Error(`${name}: the secret \`${id}\` is not a file`);
    secrets.set(id, path.join(dir, secret.file));
  }
  return {
    name,
    contextDir,
    file,
    bases: named,
    contexts,
    buildArgs: { BUILDKIT_CACHE_MOUNT_NS: name, SOURCE_DATE_EPOCH: String(EPOCH), ...options.buildArgs },
    labels: options.labels ?? {},
    ...(options.target !== undefined && { target: options.target }),
    ...(options.platform !== undefined && { platform: options.platform }),
    ...(options.network !== undefined && { network: options.network }),
    allow: options.allow ?? [],
    ...(options['shm-size'] !== undefined && { shmSize: options['shm-size'] }),
    ...(options.ulimit !== undefined && { ulimit: options.ulimit }),
    secrets,
  };
}
