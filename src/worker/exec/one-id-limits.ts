import { BuildError } from '../../base/errors.js';
import type { RunUser } from '../../executor/types.js';
import { hintForMoreIds } from '../isolation/id-maps.js';
import type { WorkerKind } from '../worker-kind.js';

/** Throws ISOLATION_UNAVAILABLE for a user whom the worker's namespace does not have. */
export function requireUser({ uid, gid }: RunUser, { rung }: WorkerKind): void {
  if (rung !== 'userns-single' || (uid === 0 && gid === 0)) return;
  const message = `a user namespace with one id runs processes as 0:0 only, and not as ${uid}:${gid}`;
  throw new BuildError('ISOLATION_UNAVAILABLE', message, { hint: hintForMoreIds() });
}
