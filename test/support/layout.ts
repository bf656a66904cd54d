import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hostPlatform, type Platform } from '../../src/oci/platform.js';
import { sha256 } from './tar.js';

export interface HandMade {
  /** Uncompressed layer tars, lowest first. */
  readonly layers: readonly Buffer[];
  readonly config?: object;
  /** Default: this machine's. */
  readonly platform?: Platform;
  /** In place of the true ones. */
  readonly diffIds?: readonly string[];
  /** Changes the documents before they are written. */
  readonly editManifest?: (manifest: Record<string, unknown>) => unknown;
}

/** Writes an OCI image layout with one image by hand, without any code of Slipway's. Gives what stands in it. */
export function writeLayout(
  dir: string,
  image: HandMade,
): { readonly manifest: string; readonly layers: readonly string[] } {
  const blobs = path.join(dir, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } => {
    const digest = sha256(bytes);
    writeFileSync(path.join(blobs, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layers = image.layers.map((tar) => put('application/vnd.oci.image.layer.v1.tar', tar));
  const { os, architecture } = image.platform ?? hostPlatform();
  const config = put(
    'application/vnd.oci.image.config.v1+json',
    Buffer.from(
      JSON.stringify({
        os,
        architecture,
        config: { Env: ['PATH=/bin'], ...image.config },
        rootfs: { type: 'layers', diff_ids: image.diffIds ?? layers.map((layer) => layer.digest) },
      }),
    ),
  );
  const document = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers };
  const edited = image.editManifest?.(document) ?? document;
  const manifest = put('application/vnd.oci.image.manifest.v1+json', Buffer.from(JSON.stringify(edited)));
  writeFileSync(path.join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(path.join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  return { manifest: manifest.digest, layers: layers.map((layer) => layer.digest) };
}
