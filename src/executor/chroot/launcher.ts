import { readFileSync, writeFileSync } from 'node:fs';
import {
  becomeUser,
  boundCapabilities,
  changeRoot,
  forbidTracing,
  setCapabilities,
} from '../../base/linux/credentials.js';
import { passStandardStreamsOnly, resetSignals, setLimit } from '../../base/linux/exec.js';
import { listenToLinks } from '../../base/linux/link-calls.js';
import { sendDescriptor } from '../../base/linux/pass-descriptor.js';
import { changeDirectory, dieWithParent } from '../../base/linux/process.js';
import { executeCommand } from './command.js';
import { CONTROL_FD, LINKS_FD, READY, type LaunchFailure, type LaunchSpec } from './launch-spec.js';

/**
 * Entry of a program of its own: becomes the process of a RUN. It runs as root and makes itself small step by step; the
 * order is that in which each step is still allowed. Everything happens on this one thread, from which the command is
 * executed: capabilities belong to threads. It is started in a session of its own.
 */
const spec = JSON.parse(readFileSync(CONTROL_FD, 'utf8')) as LaunchSpec;
let failure: LaunchFailure;
try {
  becomeSmall(spec);
  writeFileSync(CONTROL_FD, READY);
  failure = { kind: 'not-executable', message: executeCommand(spec.args, spec.env) };
} catch (error) {
  failure = { kind: 'not-possible', message: error instanceof Error ? error.message : String(error) };
}
writeFileSync(CONTROL_FD, JSON.stringify(failure));
process.exitCode = 1;

function becomeSmall({ parent, root, cwd, user, capabilities, limits }: LaunchSpec): void {
  const kept = new Set(capabilities);
  process.umask(0o022);
  passStandardStreamsOnly();
  for (const { resource, soft, hard } of limits) setLimit(resource, soft, hard);
  // While it has less than the builder already, and still what Node.js holds: no other RUN may look into it.
  forbidTracing();
  changeRoot(root);
  changeDirectory(cwd);
  boundCapabilities(kept);
  becomeUser(user.uid, user.gid, user.additionalGids);
  setCapabilities(user.uid === 0 ? capabilities : []);
  dieWithParent('SIGKILL'); // after the change of ids, with which the kernel forgets it
  if (process.ppid !== parent) throw new Error('its parent has ended');
  resetSignals();
  sendDescriptor(LINKS_FD, listenToLinks() ?? -1);
}
