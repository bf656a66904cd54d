import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../base/errors.js';
import type { RunMount } from '../../executor/types.js';
import { chownTo, type GiveFile } from './give-file.js';
import type { ExecMount } from '../../llb/types.js';

type Secret = ExecMount['mount'] & { readonly type: 'secret' };
type Given = Readonly<Record<string, string>>;

/** `NAME=value` for a mount that asks for a variable; undefined for others, and for an optional one that is missing. */
export function secretVariable({ mount }: ExecMount, given: Given): string | undefined {
  if (mount.type !== 'secret' || mount.env === undefined) return undefined;
  const bytes = find(mount, given);
  return bytes && `${mount.env}=${bytes.toString('utf8')}`;
}

/**
 * Writes the secret to `dir`, which must not be on a disk. Undefined for a variable, or when it is missing. `give` gives it
 * to its owner.
 */
export function placeSecret(
  secret: Secret & { readonly target: string },
  given: Given,
  dir: string,
  give: GiveFile = chownTo,
): RunMount | undefined {
  if (secret.env !== undefined) return undefined;
  const bytes = find(secret, given);
  if (!bytes) return undefined;
  const source = path.join(dir, randomBytes(8).toString('hex'));
  writeFileSync(source, bytes, { flag: 'wx', mode: 0o600 });
  give(source, secret);
  chmodSync(source, secret.mode & 0o777);
  return {
    type: 'bind',
    source,
    target: secret.target,
    readonly: true,
    ...((secret.mode & 0o111) === 0 && { inert: true }),
  };
}

function find({ id, optional }: Secret, given: Given): Buffer | undefined {
  const base64 = given[id];
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  if (optional) return undefined;
  throw new BuildError('SECRET_NOT_FOUND', `secret ${id}: not found`, {
    hint: `give it with \`--secret id=${id},src=FILE\``,
  });
}
