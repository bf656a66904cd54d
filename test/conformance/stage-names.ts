import { existsSync, readFileSync } from 'node:fs';

/** Names of a Dockerfile's stages, in lower case; none where there is no Dockerfile. */
export function stageNames(file: string): ReadonlySet<string> {
  const dockerfile = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return new Set([...dockerfile.matchAll(/^FROM\s.*\sAS\s+(\S+)/gim)].map(([, name]) => name!.toLowerCase()));
}
