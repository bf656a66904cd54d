import { allOrAbort } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { Semaphore } from '../base/semaphore.js';
import type { JobContext } from '../job/context.js';
import { TransferReport } from '../job/transfer-report.js';
import type { ContentSink, ContentSource } from '../oci/content.js';
import { isForeignLayer, isIndexType, isManifestType, type Descriptor } from '../oci/descriptor.js';
import { parseIndex, parseManifest } from '../oci/documents.js';
import { HeldDocument } from './held-document.js';

export interface CopyGraphOptions {
  readonly job: JobContext;
  /** Which children of a manifest or an index are copied too. Default: all. */
  readonly only?: (child: Descriptor) => boolean | Promise<boolean>;
  /** How many blobs and documents are under way at a time. */
  readonly parallel?: number;
  /** What happens to each, for those who watch: "pushing 0123456789ab". */
  readonly doing?: string;
  /**
   * A manifest that the sink has stands there with everything below it, as registries see to; then nothing below it is
   * asked for. Not so for a store: it may hold the documents of an image whose layers were never needed.
   */
  readonly sinkIsClosed?: boolean;
  /** The root is known not to be there, and is left to the caller: all that it leads to is copied. */
  readonly leavesRoot?: boolean;
}

export interface Amount {
  /** Blobs, manifests and indexes. */
  readonly blobs: number;
  readonly bytes: number;
}

export interface CopyCounts {
  readonly copied: Amount;
  /** What the sink had already. */
  readonly skipped: Amount;
}

const PARALLEL = 6;
/** Children of one index that are walked at a time: each holds a document until all below it is there. */
const PARALLEL_CHILDREN = 4;

/**
 * Copies `root`, a manifest or an index (or any blob), with all that it leads to. What is below a document is there
 * before the document is, so the sink never holds a graph with holes, however this ends. Each digest is copied once;
 * what the sink has is skipped; foreign layers and a `subject` are not followed. The first failure ends the rest and is
 * thrown when all have stopped: what source and sink throw, and IMAGE_INVALID for a graph that is beyond `limits` or
 * whose documents are not what their descriptors say.
 */
export async function copyGraph(
  source: ContentSource,
  sink: ContentSink,
  root: Descriptor,
  options: CopyGraphOptions,
): Promise<CopyCounts> {
  const copy = new GraphCopy(source, sink, options);
  await copy.node(root, 0, options.job.signal);
  return copy.counts;
}

class GraphCopy {
  readonly #source: ContentSource;
  readonly #sink: ContentSink;
  readonly #options: CopyGraphOptions;
  readonly #places: Semaphore;
  readonly #nodes = new Map<string, Promise<void>>();
  readonly #copied = { blobs: 0, bytes: 0 };
  readonly #skipped = { blobs: 0, bytes: 0 };

  constructor(source: ContentSource, sink: ContentSink, options: CopyGraphOptions) {
    this.#source = source;
    this.#sink = sink;
    this.#options = options;
    this.#places = new Semaphore(options.parallel ?? PARALLEL);
  }

  get counts(): CopyCounts {
    return { copied: { ...this.#copied }, skipped: { ...this.#skipped } };
  }

  /** Whoever asks first has it copied; the others wait for that. A failure ends all, so it need not be tried again. */
  async node(target: Descriptor, depth: number, signal: AbortSignal): Promise<void> {
    const isDocument = isIndexType(target.mediaType) || isManifestType(target.mediaType);
    // With the size: a second descriptor that gives another one must not pass for checked.
    const key = `${isDocument ? 'document' : 'blob'} ${target.digest} ${target.size}`;
    const known = this.#nodes.get(key);
    if (known) return await known;
    if (this.#nodes.size >= limits.graphNodes) throw tooLarge(`more than ${limits.graphNodes} blobs`);
    const work = isDocument ? this.#document(target, depth, signal) : this.#blob(target, this.#source, signal);
    this.#nodes.set(key, work);
    await work;
  }

  async #document(target: Descriptor, depth: number, signal: AbortSignal): Promise<void> {
    if (depth > limits.graphDepth) throw tooLarge(`more than ${limits.graphDepth} indexes within each other`);
    const { sinkIsClosed = false, leavesRoot = false } = this.#options;
    const isLeft = leavesRoot && depth === 0;
    if (sinkIsClosed && !isLeft && (await this.#isThere(target, signal))) return;
    const bytes = await this.#places.run(signal, () => this.#source.readDocument(target, { signal }));
    await this.#children(childrenOf(target, bytes), depth, signal);
    if (!isLeft) await this.#blob(target, new HeldDocument(bytes), signal, { isAbsent: sinkIsClosed });
  }

  async #children({ blobs, documents }: Children, depth: number, signal: AbortSignal): Promise<void> {
    const { only = () => true } = this.#options;
    const places = new Semaphore(PARALLEL_CHILDREN);
    const copy = async (child: Descriptor, signal: AbortSignal): Promise<void> => {
      if (await only(child)) await this.node(child, depth + 1, signal);
    };
    await allOrAbort(signal, [
      ...blobs
        .filter((child) => !isForeignLayer(child.mediaType))
        .map((child) => (signal: AbortSignal) => copy(child, signal)),
      ...documents.map((child) => (signal: AbortSignal) => places.run(signal, () => copy(child, signal))),
    ]);
  }

  async #isThere(target: Descriptor, signal: AbortSignal): Promise<boolean> {
    const isThere = await this.#places.run(signal, () => this.#sink.has(target, { signal }));
    if (isThere) add(this.#skipped, target);
    return isThere;
  }

  async #blob(
    target: Descriptor,
    source: ContentSource,
    signal: AbortSignal,
    { isAbsent } = { isAbsent: false },
  ): Promise<void> {
    await this.#places.run(signal, async () => {
      if (!isAbsent && (await this.#sink.has(target, { signal }))) return add(this.#skipped, target);
      const { job, doing = 'copying' } = this.#options;
      const report = new TransferReport(`${doing} ${target.digest.slice(7, 19)}`, job);
      try {
        report.update(0, target.size);
        const onProgress = (current: number): void => report.update(current, target.size);
        await this.#sink.put(target, source, { signal, onProgress });
        report.update(target.size, target.size);
      } finally {
        report.end();
      }
      add(this.#copied, target);
    });
  }
}

interface Children {
  readonly blobs: readonly Descriptor[];
  readonly documents: readonly Descriptor[];
}

/** One document must not be read as two things (CVE-2021-41190): what it has of the other kind makes it invalid. */
function childrenOf(target: Descriptor, bytes: Buffer): Children {
  if (isManifestType(target.mediaType)) {
    const what = `manifest \`${target.digest}\``;
    const manifest = parseManifest(bytes, what);
    if ('manifests' in manifest)
      throw new BuildError('IMAGE_INVALID', `${what} has \`manifests\` too, as an index has`);
    return { blobs: [manifest.config, ...manifest.layers], documents: [] };
  }
  const what = `index \`${target.digest}\``;
  const index = parseIndex(bytes, what);
  if ('layers' in index || 'config' in index) {
    throw new BuildError('IMAGE_INVALID', `${what} has \`config\` or \`layers\` too, as a manifest has`);
  }
  const isDocument = ({ mediaType }: Descriptor): boolean => isIndexType(mediaType) || isManifestType(mediaType);
  return {
    blobs: index.manifests.filter((one) => !isDocument(one)),
    documents: index.manifests.filter(isDocument),
  };
}

function add(amount: { blobs: number; bytes: number }, { size }: Descriptor): void {
  amount.blobs++;
  amount.bytes += size;
}

function tooLarge(what: string): BuildError {
  return new BuildError('IMAGE_INVALID', `the image leads to ${what}`);
}
