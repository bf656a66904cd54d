import { chownSync } from 'node:fs';
import { BuildError } from '../../base/errors.js';
import { hintForMoreIds } from '../isolation/id-maps.js';
import type { WorkerKind } from '../worker-kind.js';

/** Gives a file that a RUN is lent to the user that the mount names. */
export type GiveFile = (file: string, owner: { readonly uid: number; readonly gid: number }) => void;

export const chownTo: GiveFile = (file, { uid, gid }) => chownSync(file, uid, gid);

/** With a single id everything is 0:0, and for others it throws ISOLATION_UNAVAILABLE. */
export function giveFile({ rung }: WorkerKind): GiveFile {
  if (rung !== 'userns-single') return chownTo;
  return (_file, { uid, gid }) => {
    if (uid === 0 && gid === 0) return;
    const message = `a mount of a RUN is to belong to ${uid}:${gid}, and there is one id only`;
    throw new BuildError('ISOLATION_UNAVAILABLE', message, { hint: hintForMoreIds() });
  };
}
