import { fromText, type ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView } from '../../layer/ref-view.js';
import type { Owner } from '../../llb/types.js';
import { shown } from './paths.js';
import { resolveLinks } from './resolve-links.js';

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

const MINUS_ONE = 2 ** 32 - 1;
const MAX_USER_FILE_BYTES = 10 * 1024 * 1024;

/**
 * The ids that an owner names in `root`, undefined when it says nothing. A number without a group is its own group; a
 * name that is not found is 0. `root` is undefined for an empty file system, where a name cannot be looked up.
 */
export async function resolveOwner(owner: Owner | undefined, root: RefView | undefined): Promise<UserIds | undefined> {
  if (owner === undefined) return undefined;
  let uid = 0;
  let gid = 0;
  if (owner.user !== undefined) {
    if ('id' in owner.user) {
      uid = kept(owner.user.id);
      gid = uid;
    } else {
      const fields = await findLine(root, 'etc/passwd', owner.user.name);
      uid = decimal(fields?.[2]);
      gid = decimal(fields?.[3]);
    }
  }
  if (owner.group !== undefined) {
    if ('id' in owner.group) gid = kept(owner.group.id);
    else {
      const fields = await findLine(root, 'etc/group', owner.group.name);
      if (fields !== undefined) gid = decimal(fields[2]);
    }
  }
  return { uid, gid };
}

/** chown(2) takes -1 as "leave it", and what BuildKit has just made belongs to 0. */
function kept(id: number): number {
  return id === MINUS_ONE ? 0 : id;
}

async function findLine(
  root: RefView | undefined,
  file: ByteString,
  name: string,
): Promise<readonly ByteString[] | undefined> {
  if (root === undefined) {
    throw new BuildError('COPY_FAILED', 'invalid user index: -1', {
      hint: `give the number instead of \`${name}\`: there is no \`${shown(file)}\` to look it up in`,
    });
  }
  const path = resolveLinks(root, file);
  const entry = root.lstat(path);
  if (entry === undefined) return undefined;
  if (entry.type !== 'file') throw new BuildError('COPY_FAILED', `${shown(path)} is not a regular file`);
  const content = await root.readFile(path, MAX_USER_FILE_BYTES);
  const wanted = fromText(name);
  for (const line of (content?.toString('latin1') ?? '').split('\n')) {
    const fields = line.trim().split(':');
    if (fields[0] === wanted) return fields;
  }
  return undefined;
}

/** As Go's Atoi with its error dropped: anything but a number is 0. */
function decimal(text: string | undefined): number {
  return text !== undefined && /^[-+]?[0-9]+$/.test(text) ? Number(text) : 0;
}
