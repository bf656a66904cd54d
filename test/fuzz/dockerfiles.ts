import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const CORPUS = path.join(import.meta.dirname, 'corpus');
const RECORDED = path.resolve(import.meta.dirname, '../../../shared/conformance');

/** Dockerfiles to start from: those of the corpus, and the recorded ones where they are at hand. In one order always. */
export function dockerfiles(): readonly string[] {
  return [...dockerfilesBelow(CORPUS), ...dockerfilesBelow(RECORDED)];
}

function dockerfilesBelow(dir: string): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  const wanted = names.filter((name) => /(^|[./])Dockerfile$/.test(name)).sort();
  return wanted.map((name) => readFileSync(path.join(dir, name), 'utf8'));
}
