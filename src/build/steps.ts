import { BuildError } from '../base/errors.js';
import type { JobContext } from '../job/context.js';
import type { BuildEvent } from '../job/events.js';
import type { Edge, VertexDigest, VertexOptions } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import type { DockerfileSource } from './contexts.js';

/** BuildKit's mark of what no line of the Dockerfile asks for, such as reading the context. */
const INTERNAL = '[internal]';

/** Counts the steps of a build from its events. */
export class StepCounter {
  readonly #internal = new Set<VertexDigest>();
  #cached = 0;
  #ran = 0;

  count(event: BuildEvent): void {
    if (event.type === 'vertex-queued' && event.name.startsWith(INTERNAL)) this.#internal.add(event.vertex);
    if (event.type !== 'vertex-completed' || this.#internal.has(event.vertex)) return;
    if (event.cached) this.#cached++;
    else this.#ran++;
  }

  get counts(): { readonly cached: number; readonly ran: number } {
    return { cached: this.#cached, ran: this.#ran };
  }
}

/** Runs `work`, and says of an error that comes out of it which lines of the Dockerfile it belongs to. */
export async function withPlaces<T>(
  file: DockerfileSource,
  target: Edge | undefined,
  job: JobContext,
  work: (job: JobContext) => Promise<T>,
): Promise<T> {
  let failed: VertexDigest | undefined;
  const emit = (event: BuildEvent): void => {
    if (event.type === 'vertex-failed') failed ??= event.vertex;
    job.emit(event);
  };
  try {
    return await work({ ...job, emit });
  } catch (error) {
    const vertex = target && topological(target.vertex).find((one) => one.digest === failed);
    if (error instanceof BuildError && vertex) error.place ??= placeOf(file, vertex.options);
    throw error;
  }
}

/** The lines of the Dockerfile that a step comes from; undefined for one that comes from none. */
export function placeOf({ fileName, source }: DockerfileSource, { location }: VertexOptions): BuildError['place'] {
  return location && { fileName, source, startLine: location.startLine, endLine: location.endLine };
}
