import type { Cancel } from '../../base/abort.js';
import type { ByteString } from '../../base/bytes.js';
import { collectGarbage } from '../../base/collect-garbage.js';
import { BuildError } from '../../base/errors.js';
import { decompress } from '../../layer/compression.js';
import type { PackItem } from '../../layer/pack.js';
import type { FileAction } from '../../llb/types.js';
import type { ContextInput, ContextViews } from '../context/context-views.js';
import { PackedLayer, VERY_MANY } from '../layer-writer.js';
import type { MachineParts } from '../local-machine.js';
import type { FileOpAhead, FileOpRequest } from '../machine.js';
import { scratch } from '../scratch.js';
import { itemsOf } from './change-items.js';
import { EarlierLayer } from './earlier-layer.js';
import { planFileOp } from './plan.js';
import { copyFor, keepLayer } from './run-file-op.js';

/** Files that were never read, from which on it counts that they are read once only. */
const MANY = 4000;

/**
 * Packs what a COPY that stands on nothing takes from a directory, before it is known whether the cache has the result: the
 * digests that the answer depends on come from the same pass. Only where that is as good as certain: the directory and
 * the actions are new to this store. Undefined where they are not, where files are few, and where anything is wrong: that
 * is met again, and told of, when the op is looked up or done.
 */
export async function beginFileOp(
  request: FileOpRequest,
  contexts: ContextViews,
  parts: MachineParts,
  opts: Cancel,
): Promise<FileOpAhead | undefined> {
  const { inputs, actions } = request;
  const [input] = inputs;
  if (inputs.length !== 1 || input?.kind !== 'context' || !actions.every(isPlainCopy)) return undefined;
  if (!contexts.isNew(input) || (await EarlierLayer.isKnown(actions, parts.store))) return undefined;
  try {
    const packed = await packAll(request, input, contexts, parts, opts);
    return packed && aheadOf(request, packed, parts);
  } catch (error) {
    opts.signal.throwIfAborted();
    if (error instanceof BuildError || isOfSystem(error)) return undefined;
    throw error;
  }
}

async function packAll(
  request: FileOpRequest,
  input: ContextInput,
  contexts: ContextViews,
  parts: MachineParts,
  opts: Cancel,
): Promise<PackedLayer | undefined> {
  using work = scratch(parts.store);
  const plan = await planAll(request, work.dir, parts, opts);
  if (!plan) return undefined;
  const { items, sources } = plan;
  if (items.length >= VERY_MANY) collectGarbage();
  const packed = await PackedLayer.pack(items, parts.store, copyFor(items, request.isOfImage, parts, opts));
  const context = contexts.view(input);
  for (const [i, { digest }] of packed.toc.entries.entries()) {
    const source = sources[i];
    if (source !== undefined && digest !== undefined) context.note(source, digest);
  }
  return packed;
}

interface PlannedItems {
  readonly items: readonly PackItem[];
  /** By item, the file of the directory that its bytes come from. */
  readonly sources: readonly (ByteString | undefined)[];
}

/** Undefined when it is not worth it. */
async function planAll(
  { inputs, actions, now }: FileOpRequest,
  scratchDir: string,
  { views }: MachineParts,
  opts: Cancel,
): Promise<PlannedItems | undefined> {
  using open = await views.open(inputs[0]!, opts);
  const options = { now: Math.floor(now / 1000), scratchDir, decompress, signal: opts.signal };
  const sets = await planFileOp(actions, [open.view], options);
  const changes = sets.length === 1 ? sets[0]!.changes : undefined;
  if (!changes || changes.size < MANY) return undefined;
  const sources = [...changes.values()].map((change) => {
    const content = change.kind === 'present' && change.entry.size > 0 ? change.content : undefined;
    return content?.kind === 'view' ? content.path : undefined;
  });
  return { items: await itemsOf({ changes }, [open], scratchDir, undefined), sources };
}

function aheadOf({ actions, now, description }: FileOpRequest, packed: PackedLayer, parts: MachineParts): FileOpAhead {
  const { refs } = parts.store;
  return {
    take: async () => {
      const id = refs.newId();
      await keepLayer(id, packed, actions, parts);
      await refs.save({ id, createdAt: now, description });
      return [id];
    },
    drop: async () => await packed.drop(),
  };
}

/** Archives are looked into by ADD only. */
function isPlainCopy({ action }: FileAction): boolean {
  return action.type === 'copy' && !action.attemptUnpackDockerCompatibility;
}

function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
