import { loopbackProxy } from '../executor/network/loopback-proxy.js';
import type { Edge, Vertex, VertexDigest } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import type { ContentSelection, Face } from './machine.js';
import { selectionOf } from './ops/file.js';

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

/** The steps whose root some other step of the graph shares: a file system that one of them changes is needed again. */
export function branchingSteps(target: Vertex): ReadonlySet<VertexDigest> {
  const steps = topological(target).filter(({ op }) => op.kind === 'exec');
  const users = new Map<VertexDigest, VertexDigest[]>();
  for (const step of steps) {
    for (const root of rootsOf(step)) users.set(root, [...(users.get(root) ?? []), step.digest]);
  }
  return new Set([...users.values()].filter((some) => some.length > 1).flat());
}

/** The vertices whose changes make up the target, one laid on the other: the layers of the image. */
export function stepsOfImage(target: Vertex): ReadonlySet<VertexDigest> {
  const steps = new Set<VertexDigest>();
  for (let at: Vertex | undefined = target; at; at = below(at)) steps.add(at.digest);
  return steps;
}

/** The changes on which a process will stand that has a network of its own, where it can have one. */
export function belowNetworks(target: Vertex): ReadonlySet<VertexDigest> {
  const steps = topological(target).filter(
    ({ op }) => op.kind === 'exec' && op.network === 'sandbox' && loopbackProxy(op.meta.proxyEnv ?? {}) === undefined,
  );
  return new Set(steps.flatMap(rootsOf));
}

/** What file ops take from the root of each step. */
export function copiedFromSteps(target: Vertex): ReadonlyMap<VertexDigest, readonly ContentSelection[]> {
  const copied = new Map<VertexDigest, ContentSelection[]>();
  for (const { op, inputs } of topological(target)) {
    if (op.kind !== 'file') continue;
    for (const { secondaryInput, action } of op.actions) {
      const source = inputs[secondaryInput];
      if (action.type !== 'copy' || !source || !isRootOfStep(source)) continue;
      const { digest } = source.vertex;
      copied.set(digest, [...(copied.get(digest) ?? []), selectionOf(action)]);
    }
  }
  return copied;
}

function isRootOfStep({ vertex: { op }, output }: Edge): boolean {
  return op.kind === 'exec' && op.mounts.find(({ dest }) => dest === '/')?.output === output;
}

/** What a step's root is made of, down to the step before. */
function rootsOf(step: Vertex): readonly VertexDigest[] {
  const found: VertexDigest[] = [];
  for (let at = below(step); at; at = at.op.kind === 'exec' ? undefined : below(at)) found.push(at.digest);
  return found;
}

/** The input that a vertex's result lies on. */
function below({ op, inputs }: Vertex): Vertex | undefined {
  switch (op.kind) {
    case 'exec':
      return inputs[op.mounts.find(({ dest }) => dest === '/')?.input ?? -1]?.vertex;
    case 'file':
      return inputs[op.actions.find(({ input }) => input >= 0 && input < inputs.length)?.input ?? -1]?.vertex;
    case 'merge':
    case 'diff':
      return inputs[0]?.vertex;
    case 'source':
      return undefined;
  }
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
