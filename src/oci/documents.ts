import * as v from 'valibot';
import { limits } from '../base/limits.js';
import { BuildError } from '../base/errors.js';
import type { Descriptor, Index, Manifest } from './descriptor.js';
import type { ImageConfig } from './image-config.js';

const digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'must be a sha256 digest'));
const annotations = v.record(v.string(), v.string());
const platform = v.looseObject({
  os: v.string(),
  architecture: v.string(),
  variant: v.optional(v.string()),
});
const descriptor = v.looseObject({
  mediaType: v.string(),
  digest,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  platform: v.optional(platform),
  annotations: v.optional(annotations),
});
const manifest = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string()),
  config: descriptor,
  layers: v.pipe(v.array(descriptor), v.maxLength(limits.layers)),
  annotations: v.optional(annotations),
});
const index = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string()),
  manifests: v.array(descriptor),
  annotations: v.optional(annotations),
});
const strings = v.nullish(v.array(v.string()));
const emptyObjects = v.nullish(v.record(v.string(), v.looseObject({})));
const imageConfig = v.looseObject({
  created: v.nullish(v.string()),
  author: v.optional(v.string()),
  architecture: v.string(),
  os: v.string(),
  variant: v.optional(v.string()),
  config: v.nullish(
    v.looseObject({
      User: v.nullish(v.string()),
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      WorkingDir: v.nullish(v.string()),
      Labels: v.nullish(v.record(v.string(), v.string())),
      ExposedPorts: emptyObjects,
      Volumes: emptyObjects,
      StopSignal: v.nullish(v.string()),
      OnBuild: strings,
      Shell: strings,
    }),
  ),
  rootfs: v.looseObject({ type: v.literal('layers'), diff_ids: v.nullish(v.array(digest)) }),
  history: v.nullish(
    v.array(
      v.looseObject({
        created: v.optional(v.string()),
        created_by: v.optional(v.string()),
        author: v.optional(v.string()),
        comment: v.optional(v.string()),
        empty_layer: v.optional(v.boolean()),
      }),
    ),
  ),
});

/** Each throws BuildError IMAGE_INVALID that names `what` and the member that is wrong. */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  return parse(manifest, bytes, what) as unknown as Manifest;
}

export function parseIndex(bytes: Uint8Array, what: string): Index {
  return parse(index, bytes, what) as unknown as Index;
}

/** Members that are null, as Docker writes them, are left out of the result. */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const parsed = withoutNulls(parse(imageConfig, bytes, what)) as unknown as ImageConfig;
  return { ...parsed, rootfs: { type: 'layers', diff_ids: parsed.rootfs.diff_ids ?? [] } };
}

export function parseDescriptor(value: unknown, what: string): Descriptor {
  return check(descriptor, value, what) as unknown as Descriptor;
}

function parse<S extends v.GenericSchema>(schema: S, bytes: Uint8Array, what: string): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new BuildError('IMAGE_INVALID', `${what} is not JSON`, { cause: error });
  }
  if (isDeeper(value, limits.documentDepth)) {
    throw new BuildError('IMAGE_INVALID', `${what} has more than ${limits.documentDepth} parts within each other`);
  }
  return check(schema, value, what);
}

function check<S extends v.GenericSchema>(schema: S, value: unknown, what: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const place = v.getDotPath(issue);
  throw new BuildError('IMAGE_INVALID', `${what} is not valid${place ? ` at \`${place}\`` : ''}: ${issue.message}`);
}

function isDeeper(value: unknown, depth: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  return depth === 0 || Object.values(value).some((member) => isDeeper(member, depth - 1));
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNulls(member)]));
}
