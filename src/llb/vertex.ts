import { canonicalJson, type Json } from '../base/canonical-json.js';
import { digestOf } from '../oci/digest.js';
import type { Platform } from '../oci/platform.js';
import type { Edge, Op, Vertex, VertexDigest, VertexOptions } from './types.js';

/** Makes a vertex; its digest is that of the canonical JSON of op, platform and inputs. */
export function makeVertex(op: Op, inputs: readonly Edge[], platform: Platform, options: VertexOptions): Vertex {
  const identity = {
    op,
    platform,
    inputs: inputs.map((edge) => ({ vertex: edge.vertex.digest, output: edge.output })),
  };
  return {
    digest: digestOf(canonicalJson(identity as unknown as Json)) as VertexDigest,
    op,
    platform,
    inputs,
    options,
  };
}

/** Every vertex that `target` needs, inputs before what uses them, each once. */
export function topological(target: Vertex): readonly Vertex[] {
  const order: Vertex[] = [];
  const seen = new Set<VertexDigest>();
  const stack: { vertex: Vertex; next: number }[] = [{ vertex: target, next: 0 }];
  seen.add(target.digest);
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const input = top.vertex.inputs[top.next++];
    if (input === undefined) {
      order.push(top.vertex);
      stack.pop();
    } else if (!seen.has(input.vertex.digest)) {
      seen.add(input.vertex.digest);
      stack.push({ vertex: input.vertex, next: 0 });
    }
  }
  return order;
}
