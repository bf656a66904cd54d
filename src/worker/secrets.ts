import { readFile } from 'node:fs/promises';
import { BuildError } from '../base/errors.js';
import type { SecretSource, Session } from '../job/context.js';
import type { ExecOp } from '../llb/types.js';

/** As BuildKit has it; a secret is a token or a key, not a file of data. */
const MAX_BYTES = 500 * 1024;

/**
 * The secrets that a RUN mounts, base64 by id; one that was not given is left out. Throws SECRET_NOT_FOUND for one that
 * cannot be read. No message holds a byte of them.
 */
export async function secretsOf(op: ExecOp, { secrets }: Session): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const { mount } of op.mounts) {
    if (mount.type !== 'secret') continue;
    const source = secrets?.get(mount.id);
    const bytes = source && (await read(mount.id, source));
    if (bytes) found[mount.id] = bytes.toString('base64');
  }
  return found;
}

/** One secret by its id; undefined when it was not given. Throws SECRET_NOT_FOUND. */
export async function readSecret(id: string, { secrets }: Session): Promise<Buffer | undefined> {
  const source = secrets?.get(id);
  return source && (await read(id, source));
}

async function read(id: string, source: SecretSource): Promise<Buffer | undefined> {
  if (source.kind === 'value') return Buffer.from(source.value);
  if (source.kind === 'env') {
    const value = process.env[source.name];
    return value === undefined ? undefined : Buffer.from(value);
  }
  let bytes: Buffer;
  try {
    bytes = await readFile(source.path);
  } catch (error) {
    throw new BuildError('SECRET_NOT_FOUND', `cannot read the secret \`${id}\` from \`${source.path}\``, {
      cause: error,
    });
  }
  if (bytes.length <= MAX_BYTES) return bytes;
  throw new BuildError('SECRET_NOT_FOUND', `the secret \`${id}\` is larger than ${MAX_BYTES} bytes`, {
    hint: 'lend larger data to a step with `RUN --mount=type=bind,from=…` and a named context',
  });
}
