import type { Edge, Vertex, VertexDigest } from '../../llb/types.js';
import { topological } from '../../llb/vertex.js';
import { llbJson } from './llb-json.js';
import type { BuildConfig, BuildStep, SourceMap } from './predicate.js';

/** The graph as numbered steps, inputs first; the last step is LLB's mark of the result. */
export function buildConfigOf(target: Edge): BuildConfig {
  const vertices = topological(target.vertex);
  const names = stepNames(vertices);
  const output = (edge: Edge): string => `${names.get(edge.vertex.digest)}:${edge.output}`;
  const steps = vertices.map((vertex): BuildStep => {
    const inputs = vertex.inputs.map(output);
    return { id: names.get(vertex.digest)!, op: llbJson(vertex), ...(inputs.length > 0 && { inputs }) };
  });
  const result: BuildStep = { id: `step${vertices.length}`, op: { Op: {} }, inputs: [output(target)] };
  return {
    llbDefinition: [...steps, result],
    digestMapping: Object.fromEntries(names),
  };
}

/** The Dockerfile, and which of its lines asked for a step. */
export function sourceMapOf(target: Edge, file: { readonly fileName: string; readonly source: string }): SourceMap {
  const locations: [string, object][] = [];
  const vertices = topological(target.vertex);
  const names = stepNames(vertices);
  for (const { digest, options } of vertices) {
    const { location } = options;
    if (!location) continue;
    const range = { start: { line: location.startLine }, end: { line: location.endLine } };
    locations.push([names.get(digest)!, { locations: [{ ranges: [range] }] }]);
  }
  const data = Buffer.from(file.source).toString('base64');
  return {
    locations: Object.fromEntries(locations),
    infos: [{ filename: file.fileName, language: 'Dockerfile', data }],
  };
}

/** By digest: a graph may hold a vertex more than once. */
function stepNames(vertices: readonly Vertex[]): ReadonlyMap<VertexDigest, string> {
  return new Map(vertices.map(({ digest }, i) => [digest, `step${i}`]));
}
