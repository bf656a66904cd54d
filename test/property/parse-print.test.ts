import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAst, type Ast } from '../../src/dockerfile/parse-ast.js';
import { dockerfiles } from '../fuzz/dockerfiles.js';
import { mutateDockerfile } from '../fuzz/mutate-dockerfile.js';
import { Seeded } from '../support/seeded.js';
import { printDockerfile } from '../support/print-dockerfile.js';

/** What a Dockerfile says, without where and how it is written. */
function meaning({ nodes, escape }: Pick<Ast, 'nodes' | 'escape'>): unknown {
  const plain = (node: Ast['nodes'][number]): unknown => ({
    keyword: node.keyword,
    flags: node.flags,
    args: node.args,
    json: node.json,
    heredocs: node.heredocs,
    child: node.child && plain(node.child),
  });
  return { escape, nodes: nodes.map(plain) };
}

function isOpen(text: string, { escape }: Pick<Ast, 'escape'>): boolean {
  return text.trimEnd().endsWith(escape);
}

/**
 * Words are printed with single spaces between them. That says something else where other white space was in a quoted
 * heredoc name, or kept the words from being JSON.
 */
function needsItsSpaces({ json, args, child, heredocs }: Ast['nodes'][number]): boolean {
  if (child) return needsItsSpaces(child);
  if (heredocs.some(({ name }) => /\s\s|[^\S ]/.test(name))) return true;
  if (json || !args[0]?.startsWith('[')) return false;
  try {
    return Array.isArray(JSON.parse(args.join(' ')));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

test('what was read, printed and read again is the same', () => {
  const texts = dockerfiles();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
      const text = mutateDockerfile(texts, new Seeded(seed));
      fc.pre(!/[\v\f\r\0\u0080-\u00a0\u2028\ufeff]/.test(text)); // white space to some rules and not to others
      const ast = parseAst(text);
      fc.pre(ast.faults.length === 0 && !ast.nodes.some(needsItsSpaces));
      // Only at the very end of a file can an instruction end with the escape token and not go on.
      fc.pre(ast.nodes.every((node) => !isOpen(printDockerfile({ ...ast, nodes: [{ ...node, heredocs: [] }] }), ast)));
      expect(meaning(parseAst(printDockerfile(ast)))).toEqual(meaning(ast));
    }),
    { numRuns: 1000 },
  );
});
