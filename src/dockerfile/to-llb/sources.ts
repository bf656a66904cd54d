import { compareBytes, fromText } from '../../base/bytes.js';
import type { Edge } from '../../llb/types.js';
import { makeVertex } from '../../llb/vertex.js';
import type { Platform } from '../../oci/platform.js';
import { joinPath } from '../paths.js';
import { FileOpBuilder } from './file-op.js';

/** The source `local://<name>`: only what `paths` (absolute) lead to, without what `exclude` names. */
export function localSource(
  name: string,
  platform: Platform,
  shown: string,
  exclude: readonly string[],
  paths: Iterable<string>,
): Edge {
  const follow = followPaths(paths);
  const attrs = {
    ...(exclude.length > 0 && { 'local.excludepatterns': JSON.stringify(exclude) }),
    ...(follow.length > 0 && { 'local.followpaths': JSON.stringify(follow) }),
  };
  const op = { kind: 'source', identifier: `local://${name}`, attrs } as const;
  return { vertex: makeVertex(op, [], platform, { name: shown }), output: 0 };
}

/**
 * What `path` leads to in a local directory, at its place in a file system of its own; other edges are file systems
 * already, and stay.
 */
export function copyOfLocal(edge: Edge, platform: Platform, path = '/'): Edge {
  const { op, options } = edge.vertex;
  if (op.kind !== 'source' || !op.identifier.startsWith('local://')) return edge;
  const action = {
    type: 'copy',
    src: path,
    dest: path,
    mode: -1,
    followSymlink: true,
    dirCopyContents: true,
    attemptUnpackDockerCompatibility: false,
    createDestPath: true,
    allowWildcard: false,
    allowEmptyWildcard: false,
  } as const;
  return new FileOpBuilder(undefined).add(action, edge).build(platform, options);
}

/** The paths relative to the context, in byte order; none when all of it is read. */
function followPaths(paths: Iterable<string>): readonly string[] {
  const all = [...new Set(paths)];
  if (all.includes('/')) return [];
  return all
    .map((path) => joinPath('.', path.replace(/^\/+/, '')))
    .sort((a, b) => compareBytes(fromText(a), fromText(b)));
}
