import { BuildError } from '../base/errors.js';
import type { Vertex, VertexDigest } from '../llb/types.js';
import type { RefStore } from '../store/refs.js';
import type { OpRunner } from '../solver/types.js';
import type { ContentSelection, Face } from './machine.js';
import type { Machines } from './machines.js';
import { ExecRunner } from './ops/exec.js';
import { FileRunner } from './ops/file.js';
import type { OpResult } from './ops/result.js';
import { MergeRunner } from './ops/merge.js';
import { SourceRunner, type Sources } from './ops/source.js';

/** What is known of the whole graph beforehand. */
export interface Plan {
  readonly faces: ReadonlyMap<VertexDigest, Face>;
  readonly branching: ReadonlySet<VertexDigest>;
  readonly ofImage: ReadonlySet<VertexDigest>;
  /** Changes on which a process with a network will stand. */
  readonly belowNetworks: ReadonlySet<VertexDigest>;
  /** What file ops read of a vertex's result. */
  readonly copied: ReadonlyMap<VertexDigest, readonly ContentSelection[]>;
}

/** The behaviour of each kind of op on this machine. A new kind of op is a new file in `ops/` and a line here. */
export function opRunners(
  machines: Machines,
  sources: Sources,
  { faces, branching, ofImage, copied, belowNetworks }: Plan,
  refs: RefStore,
): (vertex: Vertex) => OpRunner<OpResult> {
  return (vertex) => {
    const { op } = vertex;
    switch (op.kind) {
      case 'source':
        return new SourceRunner(op, sources, {
          ...(faces.get(vertex.digest) === 'tree' && { unpackAhead: (...args) => machines.unpackAhead(...args) }),
        });
      case 'file':
        return new FileRunner(op, vertex, machines, {
          face: faces.get(vertex.digest) ?? 'layer',
          isOfImage: ofImage.has(vertex.digest),
          isBelowNetwork: belowNetworks.has(vertex.digest),
        });
      case 'exec':
        return new ExecRunner(
          op,
          vertex,
          { branches: branching.has(vertex.digest), copied: copied.get(vertex.digest) ?? [] },
          machines,
        );
      case 'merge':
        return new MergeRunner(vertex, refs);
      case 'diff':
        throw new BuildError('UNSUPPORTED', `the op \`${op.kind}\` cannot be executed by this version`);
    }
  };
}
