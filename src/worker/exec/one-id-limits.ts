import { BuildError } from '../../base/errors.js';
import type { RunUser } from '../../executor/types.js';
import { hintForMoreIds } from '../isolation/id-maps.js';
import type { OutputListener } from '../machine.js';
import type { WorkerKind } from '../worker-kind.js';

/** Throws ISOLATION_UNAVAILABLE for a user whom the worker's namespace does not have. */
export function requireUser({ uid, gid }: RunUser, { rung }: WorkerKind): void {
  if (rung !== 'userns-single' || (uid === 0 && gid === 0)) return;
  const message = `a user namespace with one id runs processes as 0:0 only, and not as ${uid}:${gid}`;
  throw new BuildError('ISOLATION_UNAVAILABLE', message, { hint: hintForMoreIds() });
}

export interface WatchedOutput {
  readonly onOutput: OutputListener;
  /** What to say of a process that failed, if it complained of what one id cannot do. */
  hint(): string | undefined;
}

/** The kernel's answers to a change of owner or of user that one id does not allow, and the names of the calls. */
const COMPLAINTS = /invalid argument|operation not permitted|chown|chgrp|set(?:e?[ug]id|groups)/i;

/** Listens to what a process says for complaints about its ids. */
export function watchOutput(onOutput: OutputListener, { rung }: WorkerKind): WatchedOutput {
  if (rung !== 'userns-single') return { onOutput, hint: () => undefined };
  let complained = false;
  return {
    onOutput: (stream, chunk) => {
      complained ||= COMPLAINTS.test(chunk.toString('latin1'));
      return onOutput(stream, chunk);
    },
    hint: () =>
      complained ? `with one id nothing can be given to others, nor run as them: ${hintForMoreIds()}` : undefined,
  };
}
