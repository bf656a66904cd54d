import type { Cancel } from '../../base/abort.js';

/** Something on this machine or beside it that runs containers, and takes images for that. */
export interface ContainerEngine {
  /** How messages call it, with where it is: "the Docker engine at `unix:///var/run/docker.sock`". */
  readonly name: string;
  /**
   * What archive it takes: `layout-too` is an image layout that is a `docker save` archive as well. Podman would take the
   * layout of such a one, and only the last of its names.
   */
  readonly archive: 'layout-too' | 'docker';
  /**
   * Hands it an archive, an uncompressed tar. Throws ENGINE_UNAVAILABLE when it does not answer, EXPORT_FAILED with what
   * it said when it does not take the archive, and what reading the archive throws.
   */
  load(archive: AsyncIterable<Uint8Array>, opts: Cancel): Promise<void>;
}
