import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

/** Removes every `.git` below a directory; no tree of a commit can hold one. Links are not followed. */
export function removeGitEntries(dir: string): void {
  rmSync(path.join(dir, '.git'), { recursive: true, force: true });
  for (const entry of readdirSync(dir, { withFileTypes: true, encoding: 'utf8' })) {
    if (entry.isDirectory()) removeGitEntries(path.join(dir, entry.name));
  }
}
