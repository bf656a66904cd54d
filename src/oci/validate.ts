import { createHash } from 'node:crypto';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';
import { configFaults } from './config-faults.js';
import type { ContentSource } from './content.js';
import { isIndexType, isManifestType, mediaTypes, type Descriptor, type Manifest } from './descriptor.js';
import { parseImageConfig, parseIndex, parseManifest } from './documents.js';
import type { ImageConfig } from './image-config.js';
import { matchesPlatform } from './platform.js';

export interface ValidateOptions extends Cancel {
  /** The uncompressed bytes of a layer, however it is compressed. */
  readonly decompress: (layer: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;
}

const LAYER_TYPES: readonly string[] = [
  mediaTypes.layer,
  mediaTypes.layerGzip,
  mediaTypes.layerZstd,
  mediaTypes.dockerLayer,
  mediaTypes.dockerLayerGzip,
];

/**
 * Reads everything that `target` (a manifest or an index) leads to, recomputes every digest, size and diffID, and
 * holds the documents against the rules of the OCI image-spec and against each other. Gives every fault it finds, one
 * sentence each; none for a sound image. What the source itself cannot read is thrown.
 */
export async function validateImage(
  source: ContentSource,
  target: Descriptor,
  options: ValidateOptions,
): Promise<readonly string[]> {
  const faults: string[] = [];
  await new Validation(source, options, (fault) => void faults.push(fault)).target(target);
  return faults;
}

class Validation {
  readonly #source: ContentSource;
  readonly #options: ValidateOptions;
  readonly #fault: (text: string) => void;

  constructor(source: ContentSource, options: ValidateOptions, fault: (text: string) => void) {
    this.#source = source;
    this.#options = options;
    this.#fault = fault;
  }

  async target(target: Descriptor): Promise<void> {
    const bytes = await this.#document(target);
    if (!bytes) return;
    if (isIndexType(target.mediaType)) {
      const what = `index \`${target.digest}\``;
      const index = await this.#caught(() => parseIndex(bytes, what));
      if (!index) return;
      this.#sameType(what, index.mediaType, target);
      for (const one of index.manifests) await this.target(one);
    } else if (isManifestType(target.mediaType)) await this.#manifest(target, bytes);
    else this.#fault(`\`${target.digest}\` is a \`${target.mediaType}\`, neither a manifest nor an index`);
  }

  async #manifest(target: Descriptor, bytes: Buffer): Promise<void> {
    const what = `manifest \`${target.digest}\``;
    const manifest = await this.#caught(() => parseManifest(bytes, what));
    if (!manifest) return;
    this.#sameType(what, manifest.mediaType, target);
    if (manifest.artifactType !== undefined) return await this.#artifact(manifest);
    this.#types(what, manifest, target);
    const configBytes = await this.#document(manifest.config);
    const configName = `config \`${manifest.config.digest}\``;
    const config = configBytes && (await this.#caught(() => parseImageConfig(configBytes, configName)));
    if (config) {
      for (const fault of configFaults(config)) this.#fault(`${configName}: ${fault}`);
      this.#platform(configName, config, target);
    }
    const diffIds = config?.rootfs.diff_ids;
    if (diffIds && diffIds.length !== manifest.layers.length) {
      this.#fault(`${what} has ${manifest.layers.length} layers, its config ${diffIds.length} diffIDs`);
    }
    for (const [i, layer] of manifest.layers.entries()) await this.#layer(layer, diffIds?.[i]);
  }

  /** No image: its config and layers are of types of its own. */
  async #artifact({ config, layers }: Manifest): Promise<void> {
    for (const blob of [config, ...layers]) {
      await this.#caught(async () => {
        for await (const chunk of this.#measured(blob, this.#source.open(blob, this.#options))) void chunk;
      });
    }
  }

  async #layer(layer: Descriptor, diffId: string | undefined): Promise<void> {
    const hash = createHash('sha256');
    const whole = await this.#caught(async () => {
      const content = this.#source.open(layer, this.#options);
      for await (const chunk of this.#options.decompress(this.#measured(layer, content))) hash.update(chunk);
      return true;
    });
    const found = `sha256:${hash.digest('hex')}`;
    if (whole && diffId !== undefined && found !== diffId) {
      this.#fault(`layer \`${layer.digest}\` unpacks to \`${found}\`, not to its diffID \`${diffId}\``);
    }
  }

  /** Passes a blob on and holds it against its descriptor, whatever the source itself checks. */
  async *#measured(target: Descriptor, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
    this.#compare(target, size, `sha256:${hash.digest('hex')}`);
  }

  async #document(target: Descriptor): Promise<Buffer | undefined> {
    const bytes = await this.#caught(() => this.#source.readDocument(target, this.#options));
    if (bytes) this.#compare(target, bytes.length, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    return bytes;
  }

  #compare(target: Descriptor, size: number, digest: string): void {
    if (size !== target.size) this.#fault(`blob \`${target.digest}\` has ${size} bytes instead of ${target.size}`);
    if (digest !== target.digest) this.#fault(`blob \`${target.digest}\` hashes to \`${digest}\``);
  }

  #sameType(what: string, own: string | undefined, target: Descriptor): void {
    if (own === undefined || own === target.mediaType) return;
    this.#fault(`${what} calls itself \`${own}\`, its descriptor \`${target.mediaType}\``);
  }

  /** Config and layers have types that are known, and all are OCI's or all Docker's. */
  #types(what: string, { config, layers }: Manifest, target: Descriptor): void {
    const isDocker = target.mediaType === mediaTypes.dockerManifest;
    if (config.mediaType !== (isDocker ? mediaTypes.dockerConfig : mediaTypes.config)) {
      this.#fault(`${what} has a config of type \`${config.mediaType}\``);
    }
    for (const { digest, mediaType } of layers) {
      const known = LAYER_TYPES.includes(mediaType) && mediaType.includes('.docker.') === isDocker;
      if (!known) this.#fault(`${what} has a layer \`${digest}\` of type \`${mediaType}\``);
    }
  }

  #platform(what: string, config: ImageConfig, { platform }: Descriptor): void {
    if (!platform || matchesPlatform(platform, config)) return;
    this.#fault(`${what} is for ${config.os}/${config.architecture}, its descriptor says otherwise`);
  }

  /** What the image is to blame for becomes a fault. */
  async #caught<T>(work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      this.#fault(error.message);
      return undefined;
    }
  }
}
