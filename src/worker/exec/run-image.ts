import os from 'node:os';
import { fromText } from '../../base/bytes.js';
import { lookUpUser } from '../../executor/user.js';
import type { TreeParts } from '../local-machine.js';
import type { RunImageOptions, RunImageRequest } from '../machine.js';
import { executorFor } from './executor-for.js';
import { readSmallFile } from './read-small-file.js';
import { requireUser } from './one-id-limits.js';
import { inTree, withDefaults } from './run-exec.js';

/** Runs a process in a copy of a ref that is thrown away after it. Gives the exit code. */
export async function runThrowAway(request: RunImageRequest, parts: TreeParts, opts: RunImageOptions): Promise<number> {
  using tree = await parts.trees.mountActive(request.ref, { ...opts, branches: true });
  using support = executorFor(parts);
  const user = await lookUpUser(request.user, (path) => readSmallFile(tree.view, fromText(path)));
  requireUser(user, parts.kind);
  const status = await inTree(tree, () =>
    support.executor.run(
      {
        rootfs: tree.root,
        args: request.args,
        env: withDefaults(request.env, [`HOME=${user.home}`]),
        cwd: request.cwd,
        user,
        network: request.network,
        mounts: [],
        ...(parts.kind.rung !== 'chroot' && { hostname: 'slipway' }), // there it has that of the machine
      },
      { signal: opts.signal, onOutput: opts.onOutput, onStart: (deliver) => opts.signals.subscribe(deliver) },
    ),
  );
  return status.kind === 'exited' ? status.code : 128 + (os.constants.signals[status.signal] ?? 0);
}
