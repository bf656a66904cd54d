import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ChrootExecutor } from '../../executor/chroot/chroot-executor.js';
import { launcherFile } from '../../executor/chroot/launch.js';
import { bringHome } from '../../executor/chroot/moved-directories.js';
import { killStrays } from '../../executor/chroot/strays.js';
import { removeTree } from '../../base/remove-tree.js';
import type { Store } from '../../store/store.js';
import type { RunSupport } from './executor-for.js';

/** The executor of the `chroot` rung, which mounts nothing: all that is for the run only lies in the job's work folder. */
export function chrootSupport(store: Store): RunSupport {
  const work = store.paths.work(store.leaseId);
  mkdirSync(work, { recursive: true });
  const dir = mkdtempSync(path.join(work, 'run-'));
  const privateDir = path.join(dir, 'private');
  mkdirSync(privateDir, { mode: 0o700 });
  const executor = new ChrootExecutor({
    workDir: dir,
    launcher: launcherFile(),
    notes: notesIn(work),
    lock: store.paths.lock('chroot-run'),
  });
  return { executor, dir, privateDir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

/**
 * Removes the work folder of a dead job. Of what a worker without namespaces has left in it, processes are killed first, and
 * caches go back to where they belong.
 */
export function removeWork(dir: string): void {
  killStrays(dir);
  bringHome(notesIn(dir), dir);
  removeTree(dir);
}

function notesIn(work: string): string {
  return path.join(work, 'moved');
}
