import type { Node } from '../../src/dockerfile/ast.js';
import type { Ast } from '../../src/dockerfile/parse-ast.js';

/** A Dockerfile that is read as these nodes: one instruction a line, each followed by its heredocs. */
export function printDockerfile({ nodes, escape }: Pick<Ast, 'nodes' | 'escape'>): string {
  const bodies = ({ heredocs }: Node): string => heredocs.map(({ name, content }) => `${content}${name}\n`).join('');
  return `# escape=${escape}\n${nodes.map((node) => `${printNode(node, escape)}\n${bodies(node)}`).join('')}`;
}

function printNode({ keyword, flags, args, child, json }: Node, escape: string): string {
  const head = [keyword, ...flags.map((flag) => printFlag(flag, escape))].join(' ');
  if (child !== undefined) return `${head} ${printNode(child, escape)}`;
  const name = keyword.toLowerCase();
  if (name === 'healthcheck')
    return `${head} ${args[0] ?? ''} ${json ? JSON.stringify(args.slice(1)) : args.slice(1).join(' ')}`;
  if (json) return `${head} ${JSON.stringify(args)}`;
  if (name === 'env' || name === 'label') return `${head} ${printPairs(args)}`;
  return `${head} ${args.join(' ')}`;
}

/** Triples of name, value and what stands between them. */
function printPairs(args: readonly string[]): string {
  const pairs: string[] = [];
  for (let i = 0; i < args.length; i += 3) pairs.push(`${args[i]}${args[i + 2] || ' '}${args[i + 1]}`);
  return pairs.join(' ');
}

/** White space, quotes and the escape token lose their meaning. */
function printFlag(flag: string, escape: string): string {
  return Array.from(flag, (char) => (/[\s'"]/.test(char) || char === escape ? escape + char : char)).join('');
}
