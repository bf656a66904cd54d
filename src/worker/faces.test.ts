import { expect, test } from 'vitest';
import type { ExecOp, Vertex, VertexDigest } from '../llb/types.js';
import { branchingSteps } from './faces.js';

function vertex(name: string, op: object, ...inputs: readonly Vertex[]): Vertex {
  const edges = inputs.map((one) => ({ vertex: one, index: 0 }));
  return { digest: name as VertexDigest, op, inputs: edges, options: { name } } as unknown as Vertex;
}

const source = (name: string): Vertex => vertex(name, { kind: 'source', identifier: name, attrs: {} });
const run = (name: string, root: Vertex, ...mounted: readonly Vertex[]): Vertex => {
  const mounts = [root, ...mounted].map((_, input) => ({ input, dest: input === 0 ? '/' : `/m${input}` }));
  return vertex(name, { kind: 'exec', mounts } as unknown as ExecOp, root, ...mounted);
};
const copy = (name: string, onto: Vertex, from: Vertex): Vertex =>
  vertex(name, { kind: 'file', actions: [{ input: 0, secondaryInput: 1 }] }, onto, from);

test('steps that stand on one file system branch, also with copies between', () => {
  const base = source('base');
  const one = run('one', copy('copied', base, source('context')));
  const two = run('two', base);
  expect(branchingSteps(copy('end', two, one))).toEqual(new Set(['one', 'two']));
});

test('a chain of steps does not branch, nor does what only reads', () => {
  const base = source('base');
  const one = run('one', base);
  const two = run('two', one);
  expect(branchingSteps(run('three', source('other'), two))).toEqual(new Set());
  expect(branchingSteps(copy('end', source('scratch'), two))).toEqual(new Set());
});
