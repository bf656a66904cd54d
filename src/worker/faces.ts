import type { Vertex, VertexDigest } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import type { Face } from './machine.js';

/**
 * Which face of each vertex's change is wanted first: a tree for whatever a process will stand on, or be mounted into
 * one, a layer for the rest, which then need never be written as files.
 */
export function wantedFaces(target: Vertex): ReadonlyMap<VertexDigest, Face> {
  const faces = new Map<VertexDigest, Face>();
  const order = topological(target);
  for (const vertex of [...order].reverse()) {
    const face = vertex.op.kind === 'exec' ? 'tree' : (faces.get(vertex.digest) ?? 'layer');
    faces.set(vertex.digest, face);
    if (face !== 'tree') continue;
    for (const input of standsOn(vertex)) {
      const below = vertex.inputs[input];
      if (below) faces.set(below.vertex.digest, 'tree');
    }
  }
  return faces;
}

/** Inputs that must be trees for the vertex's result to be one. */
function standsOn({ op, inputs }: Vertex): readonly number[] {
  switch (op.kind) {
    case 'exec':
      return op.mounts.map((mount) => mount.input).filter((input) => input >= 0);
    case 'file':
      return op.actions.map((action) => action.input).filter((input) => input >= 0 && input < inputs.length);
    case 'merge':
    case 'diff':
      return inputs.map((_, i) => i);
    case 'source':
      return [];
  }
}
