import path from 'node:path';
import { BuildError } from '../base/errors.js';
import { checkOptionsFor } from '../dockerfile/checks/check-options.js';
import type { CheckError, CheckReport } from '../dockerfile/checks/check-report.js';
import { Checker } from '../dockerfile/checks/checker.js';
import type { Watcher } from '../dockerfile/checks/moments.js';
import { DockerfileError } from '../dockerfile/diagnostic.js';
import { OutlineCapture, type Outline } from '../dockerfile/outline.js';
import { parseDockerfile, requireValid } from '../dockerfile/parse.js';
import { targetsOf, type Target } from '../dockerfile/targets.js';
import type { ConvertOptions } from '../dockerfile/to-llb/options.js';
import { Store, storeRoot } from '../store/store.js';
import { BaseImages } from './base-images.js';
import { mainContext, namedContexts, readDockerfile, type DockerfileSource } from './contexts.js';
import { convertFile } from './convert-file.js';
import { requireOwnFrontend } from './frontend.js';
import { LazyRegistries } from './lazy-registries.js';
import type { BuildOptions } from './options.js';

/** What a Dockerfile is looked at with; as the options of a build of the same name. */
export interface CheckDockerfileOptions extends Pick<
  BuildOptions,
  'context' | 'file' | 'target' | 'buildArgs' | 'buildContexts' | 'platform' | 'root' | 'offline' | 'signal'
> {
  /**
   * Registries are asked for base images, and one that is not there is an error, as in a build; else what depends on it
   * is not checked.
   */
  readonly requireBases?: boolean;
}

/**
 * Holds a Dockerfile against the checks. Nothing is built. Without a target every stage is looked at. Faults of the file
 * are part of the report; throws for what a build throws before it reads the file.
 */
export async function checkDockerfile(options: CheckDockerfileOptions): Promise<CheckReport> {
  return await withDockerfile(options, async (file, convert) => {
    const assumedBases: string[] = [];
    let checker: Checker | undefined;
    let error: CheckError | undefined;
    try {
      checker = new Checker(checkOptionsFor(file.source, options.buildArgs ?? {}));
      const watchOnly = options.target === undefined ? 'all-stages' : 'needed-stages';
      await convert({ watcher: withAssumedBases(checker, assumedBases), watchOnly });
      checker.refuseWarnings();
    } catch (fault) {
      options.signal.throwIfAborted();
      if (!(fault instanceof BuildError) || fault.code === 'USAGE') throw fault;
      const range = fault instanceof DockerfileError ? fault.diagnostics[0]?.range : fault.place;
      error = { message: fault.message, hint: fault.hint, range };
    }
    const names = { fileName: shownName(options, file), source: file.source };
    return { ...names, warnings: checker?.warnings ?? [], error, assumedBases: [...new Set(assumedBases)] };
  });
}

/** What the target of a Dockerfile can be given. Nothing is built. Throws as a build does. */
export async function outlineDockerfile(
  options: CheckDockerfileOptions,
): Promise<{ readonly outline: Outline; readonly source: string }> {
  return await withDockerfile(options, async ({ source }, convert) => {
    const watcher = new OutlineCapture();
    await convert({ watcher, watchOnly: 'needed-stages' });
    return { outline: watcher.outline(), source };
  });
}

/** The stages that can be built. Looks at nothing but the Dockerfile. Throws DockerfileError. */
export async function listTargets(
  options: Pick<BuildOptions, 'context' | 'file' | 'signal'>,
): Promise<{ readonly targets: readonly Target[]; readonly source: string }> {
  const file = await readDockerfile(options.context, options.file, options);
  const dockerfile = parseDockerfile(file.source, { fileName: file.fileName });
  requireValid(dockerfile);
  return { targets: targetsOf(dockerfile), source: file.source };
}

type Watching = Pick<ConvertOptions, 'watcher' | 'watchOnly'>;

/** Runs `look` with the Dockerfile and a way to convert it. */
async function withDockerfile<T>(
  options: CheckDockerfileOptions,
  look: (file: DockerfileSource, convert: (watching: Watching) => Promise<void>) => Promise<T>,
): Promise<T> {
  const file = await readDockerfile(options.context, options.file, options);
  requireOwnFrontend(file, options.buildArgs ?? {});
  const main = await mainContext(options.context, file);
  const named = await namedContexts(options.buildContexts ?? {});
  const { store, lease } = await Store.open(storeRoot(options.root, process.env), options);
  const registries = new LazyRegistries(process.env);
  try {
    const bases = new BaseImages({
      store,
      contexts: named.images,
      ...(options.requireBases && !options.offline && { registries }),
    });
    const assumeBases = !options.requireBases;
    return await look(file, async (watching) => {
      await convertFile({ options, file, ignore: main.ignore, named, bases }, { ...watching, assumeBases });
    });
  } finally {
    await registries.close();
    await lease.release();
  }
}

function withAssumedBases(checker: Checker, found: string[]): Watcher {
  return {
    tell(moment, facts, place) {
      if (moment === 'baseAssumed') found.push(String(facts));
      checker.tell(moment, facts, place);
    },
  };
}

/** As it was asked for, so that a reader finds it from where they are. */
function shownName({ context, file }: CheckDockerfileOptions, { fileName }: DockerfileSource): string {
  if (file === '-') return fileName;
  return file ?? path.join(context, fileName);
}
