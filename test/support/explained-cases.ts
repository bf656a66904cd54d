import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/base/package-root.js';

/** The cases that a section of `docs/differences.md` lists in the first column of its table. */
export function explainedCases(heading: string): ReadonlySet<string> {
  const text = readFileSync(path.join(packageRoot(), 'docs/differences.md'), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/differences.md has no section "${heading}"`);
  return new Set([...section.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, name]) => name!));
}
