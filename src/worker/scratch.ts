import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { removeTree } from '../base/remove-tree.js';
import type { Store } from '../store/store.js';

/** A folder for temporary files of this job; gone when it is disposed of, or swept with the job. */
export function scratch(store: Store): { readonly dir: string; [Symbol.dispose](): void } {
  const dir = path.join(store.paths.temp(store.leaseId), randomBytes(6).toString('hex'));
  mkdirSync(dir, { recursive: true });
  return { dir, [Symbol.dispose]: () => removeTree(dir) };
}
