import { Fault } from '../diagnostic.js';
import type { StopsignalInstruction } from '../instructions/stopsignal.js';
import { requireSignal } from './signal.js';
import type { StageBuild } from './stage-build.js';

export function applyStopsignal(build: StageBuild, instruction: StopsignalInstruction): void {
  const signal = build.expand(instruction.signal);
  if (build.platform.os === 'windows') {
    throw new Fault('signal', 'The daemon on this platform does not support the command stopsignal');
  }
  requireSignal(signal);
  build.image.config.StopSignal = signal;
  build.record(`STOPSIGNAL ${signal}`);
}
