import { hintForMoreIds } from '../isolation/id-maps.js';
import type { OutputListener } from '../machine.js';
import type { WorkerKind, WorkerRung } from '../worker-kind.js';

export interface WatchedOutput {
  readonly onOutput: OutputListener;
  /** What to say of a process that failed, if it complained of what its rung cannot do. */
  hint(): string | undefined;
}

interface Complaint {
  readonly pattern: RegExp;
  readonly hint: () => string;
}

const COMPLAINTS: Readonly<Partial<Record<WorkerRung, Complaint>>> = {
  'userns-single': {
    // the kernel's answers to a change of owner or of user that one id does not allow, and the names of the calls
    pattern: /invalid argument|operation not permitted|chown|chgrp|set(?:e?[ug]id|groups)/i,
    hint: () => `with one id nothing can be given to others, nor run as them: ${hintForMoreIds()}`,
  },
  chroot: {
    // names of what is not there, and what programs say that find themselves through /proc/self/exe
    pattern: /\/proc\/|\/dev\/(?:fd|std(?:in|out|err))|error while loading shared libraries|GOROOT|locate working dir/i,
    hint: () =>
      'with `--isolation=chroot` there is no /proc, which some programs find themselves by: `docs/isolation.md`; `slipway doctor` tells how to get a better isolation',
  },
};

/** Listens to what a process says for complaints about what its rung cannot do. */
export function watchOutput(onOutput: OutputListener, { rung }: WorkerKind): WatchedOutput {
  const complaint = COMPLAINTS[rung];
  if (!complaint) return { onOutput, hint: () => undefined };
  let complained = false;
  return {
    onOutput: (stream, chunk) => {
      complained ||= complaint.pattern.test(chunk.toString('latin1'));
      return onOutput(stream, chunk);
    },
    hint: () => (complained ? complaint.hint() : undefined),
  };
}
