import type { JobContext } from '../job/context.js';
import type { ContentSource } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { copyGraph, type CopyGraphOptions } from './copy-graph.js';

/** All that `root` leads to and itself, as `copyGraph` would copy it; only documents are read. Same errors. */
export async function listGraph(
  source: ContentSource,
  root: Descriptor,
  job: JobContext,
  only?: CopyGraphOptions['only'],
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  const list = { has: () => Promise.resolve(false), put: async (target: Descriptor) => void found.push(target) };
  const silent = { ...job, emit: () => undefined };
  await copyGraph(source, list, root, { job: silent, ...(only && { only }) });
  return found;
}
