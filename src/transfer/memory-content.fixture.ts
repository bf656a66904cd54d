import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import type { ContentSink, ContentSource, PutOptions } from '../oci/content.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf, type Digest } from '../oci/digest.js';
import { verified } from '../oci/verified.js';

/** Blobs in memory, as a source and a sink that tells what was asked of it. */
export class MemoryContent implements ContentSource, ContentSink {
  readonly blobs = new Map<Digest, Buffer>();
  /** `has`, `open`, `put` and the digest, in the order they were asked for. */
  readonly asked: string[] = [];
  /** Runs at the beginning of every `put` and `open`. */
  onTransfer: (target: Descriptor, opts: Cancel) => Promise<void> = async () => undefined;

  add(mediaType: string, content: string | Buffer): Descriptor {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  addManifest(config: Descriptor, layers: readonly Descriptor[], more: object = {}): Descriptor {
    const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers, ...more };
    return this.add(mediaTypes.manifest, JSON.stringify(document));
  }

  addIndex(manifests: readonly Descriptor[], more: object = {}): Descriptor {
    return this.add(
      mediaTypes.index,
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests, ...more }),
    );
  }

  async has({ digest, size }: Descriptor, { signal }: Cancel): Promise<boolean> {
    signal.throwIfAborted();
    this.asked.push(`has ${digest}`);
    return this.blobs.get(digest)?.length === size;
  }

  open(target: Descriptor, opts: Cancel): AsyncIterable<Buffer> {
    this.asked.push(`open ${target.digest}`);
    return verified(this.#read(target, opts), target);
  }

  async readDocument(target: Descriptor, opts: Cancel): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.open(target, opts)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async put(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    this.asked.push(`put ${target.digest}`);
    await this.onTransfer(target, opts);
    const chunks: Buffer[] = [];
    for await (const chunk of source.open(target, opts)) chunks.push(chunk);
    opts.signal.throwIfAborted();
    this.blobs.set(target.digest, Buffer.concat(chunks));
  }

  async *#read(target: Descriptor, opts: Cancel): AsyncGenerator<Buffer, void, undefined> {
    await this.onTransfer(target, opts);
    const bytes = this.blobs.get(target.digest);
    if (!bytes) throw new BuildError('BLOB_NOT_FOUND', `blob \`${target.digest}\` is not there`);
    yield bytes;
  }
}
