import type { Dockerfile } from '../parse.js';
import type { Place, Watcher } from './moments.js';

/** Tells what can be seen before anything is expanded: the instructions up to the first that is no good. */
export function tellSyntax(dockerfile: Dockerfile, watcher: Watcher): void {
  const { globalArgs, stages, diagnostics, malformed, emptyContinuations } = dockerfile;
  if (malformed) return;
  for (const line of emptyContinuations) {
    watcher.tell('emptyContinuation', null, { range: { startLine: line, endLine: line }, comments: [] });
  }
  const faults = diagnostics.filter(({ severity }) => severity === 'error');
  const end = Math.min(...faults.map(({ range }) => range.startLine));
  const all = [...globalArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
  for (const instruction of all) {
    if (instruction.range.startLine < end) watcher.tell('instruction', instruction, placeOf(instruction));
  }
  const first = stages[0];
  if (faults.length === 0 && first !== undefined) watcher.tell('stages', stages, inFile(first.from));
}

export function placeOf({ range, comments }: Place): Place {
  return { range, comments };
}

/** Where the comments above do not count. */
export function inFile({ range }: Pick<Place, 'range'>): Place {
  return { range, comments: [] };
}
