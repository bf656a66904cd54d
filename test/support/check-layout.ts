import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { decompress } from '../../src/layer/compression.js';
import { isIndexType, type Descriptor, type Index, type Manifest } from '../../src/oci/descriptor.js';
import { validateImage } from '../../src/oci/validate.js';
import { ImageLayout } from '../../src/store/layout.js';

const SCHEMAS = path.join(import.meta.dirname, 'oci-schemas');

/**
 * Everything that is wrong with an OCI layout (a store is one): blobs that do not hash to their names, documents that
 * the schemas of the image-spec refuse, and what our own validator finds in each image.
 */
export async function layoutFaults(dir: string): Promise<readonly string[]> {
  return [...(await blobFaults(dir)), ...schemaFaults(dir), ...(await imageFaults(dir))];
}

/** Blobs under a wrong name, and files among the blobs that are none. */
export async function blobFaults(dir: string): Promise<readonly string[]> {
  const faults: string[] = [];
  const blobs = path.join(dir, 'blobs', 'sha256');
  for (const name of readdirSync(blobs)) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path.join(blobs, name))) hash.update(chunk as Buffer);
    if (hash.digest('hex') !== name) faults.push(`the blob \`${name}\` has other bytes`);
  }
  return faults;
}

async function imageFaults(dir: string): Promise<readonly string[]> {
  const layout = new ImageLayout(dir);
  const options = { decompress, signal: new AbortController().signal };
  const faults: string[] = [];
  for (const one of indexOf(dir).manifests) faults.push(...(await validateImage(layout, one, options)));
  return faults;
}

function schemaFaults(dir: string): readonly string[] {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  for (const name of readdirSync(SCHEMAS))
    ajv.addSchema(JSON.parse(readFileSync(path.join(SCHEMAS, name), 'utf8')) as object);
  const faults: string[] = [];
  const check = (schema: string, what: string, document: unknown): void => {
    if (!ajv.validate(schema, document)) faults.push(`${what}: ${ajv.errorsText()}`);
  };
  const visit = (one: Descriptor): void => {
    const document = blob(dir, one);
    if (isIndexType(one.mediaType)) {
      check('index.json', `index ${one.digest}`, document);
      (document as Index).manifests.forEach(visit);
      return;
    }
    check('manifest.json', `manifest ${one.digest}`, document);
    const { config, artifactType } = document as Manifest;
    if (artifactType !== undefined) return;
    check('config.json', `config ${config.digest}`, blob(dir, config));
  };
  check('image-layout.json', 'oci-layout', JSON.parse(readFileSync(path.join(dir, 'oci-layout'), 'utf8')));
  check('index.json', 'index.json', indexOf(dir));
  indexOf(dir).manifests.forEach(visit);
  return faults;
}

function indexOf(dir: string): Index {
  return JSON.parse(readFileSync(path.join(dir, 'index.json'), 'utf8')) as Index;
}

function blob(dir: string, { digest }: Descriptor): unknown {
  return JSON.parse(readFileSync(path.join(dir, 'blobs', 'sha256', digest.slice(7)), 'utf8'));
}
