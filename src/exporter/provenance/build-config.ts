import type { Edge, Vertex } from '../../llb/types.js';
import { topological } from '../../llb/vertex.js';
import { llbJson } from './llb-json.js';
import type { BuildConfig, BuildStep, SourceMap } from './predicate.js';

/** The graph as numbered steps, inputs first; the last step is LLB's mark of the result. */
export function buildConfigOf(target: Edge): BuildConfig {
  const vertices = topological(target.vertex);
  const names = stepNames(vertices);
  const output = (edge: Edge): string => `${names.get(edge.vertex)}:${edge.output}`;
  const steps = vertices.map((vertex): BuildStep => {
    const inputs = vertex.inputs.map(output);
    return { id: names.get(vertex)!, op: llbJson(vertex), ...(inputs.length > 0 && { inputs }) };
  });
  const result: BuildStep = { id: `step${vertices.length}`, op: { Op: {} }, inputs: [output(target)] };
  return {
    llbDefinition: [...steps, result],
    digestMapping: Object.fromEntries(vertices.map((vertex) => [vertex.digest, names.get(vertex)!])),
  };
}

/** The Dockerfile, and which of its lines asked for a step. */
export function sourceMapOf(target: Edge, file: { readonly fileName: string; readonly source: string }): SourceMap {
  const locations: [string, object][] = [];
  for (const [vertex, name] of stepNames(topological(target.vertex))) {
    const { location } = vertex.options;
    if (!location) continue;
    const range = { start: { line: location.startLine }, end: { line: location.endLine } };
    locations.push([name, { locations: [{ ranges: [range] }] }]);
  }
  const data = Buffer.from(file.source).toString('base64');
  return {
    locations: Object.fromEntries(locations),
    infos: [{ filename: file.fileName, language: 'Dockerfile', data }],
  };
}

function stepNames(vertices: readonly Vertex[]): ReadonlyMap<Vertex, string> {
  return new Map(vertices.map((vertex, i) => [vertex, `step${i}`]));
}
