import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fromText } from '../../base/bytes.js';
import { MS, mount } from '../../base/linux/mount.js';
import { unmountBelow } from '../../base/linux/mounts-below.js';
import { OciRuntime } from '../../executor/oci-runtime.js';
import { findRuntime } from '../../executor/runtime.js';
import type { Executor } from '../../executor/types.js';
import type { TreeParts } from '../local-machine.js';
import type { Store } from '../../store/store.js';
import { chrootSupport } from './chroot-support.js';
import { makeOwnNull } from './own-null.js';
import { scratch } from '../scratch.js';
import { userNamespaceOf } from '../worker-kind.js';

let runtime: ReturnType<typeof findRuntime> | undefined;
let runDir: string | undefined;
let ownNull: string | undefined;

/** An executor with a folder of its own for bundles and other files of the run; gone with it. */
export interface RunSupport {
  readonly executor: Executor;
  readonly dir: string;
  /** For secrets, and for mounts. For this process only, and in memory where it can mount. */
  readonly privateDir: string;
  [Symbol.dispose](): void;
}

export function executorFor({ store, kind }: TreeParts): RunSupport {
  if (kind.rung === 'chroot') return chrootSupport(store);
  runtime ??= findRuntime(process.env);
  const work = scratch(store);
  const stateDir = mkdtempSync(path.join(runDirOf(store), 'r'));
  const privateDir = path.join(stateDir, 'private');
  mkdirSync(privateDir, { mode: 0o711 });
  return {
    executor: new OciRuntime({
      runtime,
      stateDir,
      userNamespace: userNamespaceOf(kind),
      nullDevice: ownNull,
      env: process.env,
    }),
    dir: work.dir,
    privateDir,
    [Symbol.dispose]: () => {
      unmountBelow(fromText(stateDir)); // whatever happened: nothing behind a mount may be removed
      rmSync(stateDir, { recursive: true, force: true });
      work[Symbol.dispose]();
    },
  };
}

/** For what a run needs beside its tree: a tmpfs that only this process's mount namespace has, so it goes with it. */
export function runDirOf(store: Store): string {
  return (runDir ??= mountRunDir(store));
}

function mountRunDir(store: Store): string {
  const dir = path.join(store.paths.work(store.leaseId), 'run');
  mkdirSync(dir, { recursive: true });
  mount({ source: 'tmpfs', target: fromText(dir), type: 'tmpfs', flags: MS.NOSUID | MS.NODEV, data: 'mode=0700' });
  ownNull = makeOwnNull(dir);
  return dir;
}
