import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { printedBy, type Output } from '../builders/builder.js';
import type { Turn, World } from './workload.js';

export function archive({ dir }: World, { builder }: Turn): Output & { readonly kind: 'archive' } {
  return { kind: 'archive', dest: path.join(dir, `out-${builder}.tar`) };
}

/**
 * The last layer of an OCI archive has the files of `folder`, byte for byte, under its name, and no others; the archive
 * goes. Judged by tar.
 */
export function checkArchive(world: World, turn: Turn, folder: string, files: number): void {
  const { dest } = archive(world, turn);
  const layer = lastLayer(dest, path.join(world.dir, 'check'));
  const listed = printedBy(['sh', '-c', `tar -tzf '${layer}' | grep -vc '/$'`]).trim();
  if (Number(listed) !== files) throw new Error(`${turn.builder}: ${listed} files in the layer, not ${files}`);
  const compared = spawnSync('tar', ['-dzf', layer, '-C', path.dirname(folder)], { encoding: 'utf8' });
  const other = /^.*(?:Contents differ|Size differs|Mode differs|Cannot stat|No such file).*$/m;
  const difference = other.exec(`${compared.stdout}\n${compared.stderr}`);
  if (difference) throw new Error(`${turn.builder}: ${difference[0]}`);
  rmSync(path.join(world.dir, 'check'), { recursive: true });
  rmSync(dest);
}

/** The names in the last layer of an OCI archive, which goes. */
export function namesInLastLayer(world: World, turn: Turn): readonly string[] {
  const { dest } = archive(world, turn);
  const layer = lastLayer(dest, path.join(world.dir, 'check'));
  const names = printedBy(['tar', '-tzf', layer]).trim().split('\n');
  rmSync(path.join(world.dir, 'check'), { recursive: true });
  rmSync(dest);
  return names;
}

interface Documents {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly layers?: readonly { readonly digest: string }[];
}

function lastLayer(dest: string, dir: string): string {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  printedBy(['tar', '-xf', dest, '-C', dir]);
  const read = (file: string): Documents => JSON.parse(readFileSync(file, 'utf8')) as Documents;
  const blob = (digest: string): string => path.join(dir, 'blobs', digest.replace(':', '/'));
  let document = read(path.join(dir, 'index.json'));
  while (document.manifests) document = read(blob(document.manifests[0]!.digest));
  return blob(document.layers!.at(-1)!.digest);
}
