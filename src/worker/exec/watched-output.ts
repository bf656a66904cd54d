import { hintForMoreIds } from '../isolation/id-maps.js';
import type { OutputListener } from '../machine.js';
import type { WorkerKind, WorkerRung } from '../worker-kind.js';

export interface WatchedOutput {
  readonly onOutput: OutputListener;
  /** What to say of a process that failed, if it complained of what its rung cannot do. */
  hint(): string | undefined;
  /** Says so in the step's output if a process went on after a refusal that may have made the image another one. */
  warn(): Promise<void>;
}

interface Complaint {
  readonly pattern: RegExp;
  readonly hint: () => string;
  /** What such a process says, and what to say of it. */
  readonly refusal?: { readonly pattern: RegExp; readonly warning: string };
}

const COMPLAINTS: Readonly<Partial<Record<WorkerRung, Complaint>>> = {
  'userns-single': {
    // the kernel's answers to a change of owner or of user that one id does not allow, and the names of the calls
    pattern: /invalid argument|operation not permitted|chown|chgrp|set(?:e?[ug]id|groups)/i,
    hint: () => `with one id nothing can be given to others, nor run as them: ${hintForMoreIds()}`,
    refusal: {
      pattern: /\bch(?:own|grp)\b.*(?:invalid argument|failed)|invalid argument.*\bch(?:own|grp)\b/i,
      warning: 'an owner could not be changed with one id; with more ids the image may be another one',
    },
  },
  chroot: {
    // names of what is not there, and what sudo says
    pattern: /\/proc\/|\/dev\/(?:fd|std(?:in|out|err))|no new privileges/i,
    hint: () =>
      'with `--isolation=chroot` there is no /proc, nor do setuid programs get rights: `docs/isolation.md`; `slipway doctor` tells how to get a better isolation',
  },
};

/** Listens to what a process says for complaints about what its rung cannot do. */
export function watchOutput(onOutput: OutputListener, { rung }: WorkerKind): WatchedOutput {
  const complaint = COMPLAINTS[rung];
  if (!complaint) return { onOutput, hint: () => undefined, warn: () => Promise.resolve() };
  const { refusal } = complaint;
  let complained = false;
  let refused = false;
  return {
    onOutput: (stream, chunk) => {
      const text = chunk.toString('latin1');
      complained ||= complaint.pattern.test(text);
      refused ||= refusal?.pattern.test(text) ?? false;
      return onOutput(stream, chunk);
    },
    hint: () => (complained ? complaint.hint() : undefined),
    warn: async () => {
      if (refusal && refused) await onOutput('stderr', Buffer.from(`slipway: warning: ${refusal.warning}\n`));
    },
  };
}
