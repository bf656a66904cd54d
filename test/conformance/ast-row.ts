import type { Node } from '../../src/dockerfile/ast.js';
import { dumpAst } from '../../src/dockerfile/ast.js';
import { parseAst } from '../../src/dockerfile/parse-ast.js';
import { difference } from './report.js';

interface RowHeredoc {
  readonly name: string;
  readonly fd: number;
  readonly expand: boolean;
  readonly chomp: boolean;
  readonly content: string;
}

/** A row that gives a whole file and its nodes. */
export interface AstRow {
  readonly group: string;
  readonly dockerfile: string;
  readonly error?: string;
  readonly dump?: string;
  readonly escape?: string;
  readonly startLine?: number;
  readonly endLine?: number;
  readonly instructions?: readonly {
    readonly instruction: string;
    readonly args: readonly string[];
    readonly flags?: readonly string[];
    readonly original: string;
    readonly startLine: number;
    readonly endLine: number;
    readonly json?: boolean;
    readonly heredocs?: readonly RowHeredoc[];
  }[];
  readonly warnings?: readonly { readonly short: string; readonly line: number }[];
}

export function checkAst(row: AstRow): string | undefined {
  const ast = parseAst(row.dockerfile);
  const error = difference('error', ast.faults[0]?.message, row.error);
  if (error !== undefined || row.error !== undefined) return error;
  const warnings = ast.emptyContinuations.map(({ line, text }) => ({
    short: `Empty continuation line found in: ${text}`,
    line,
  }));
  return (
    difference('dump', dumpAst(ast.nodes).trimEnd(), row.dump?.trimEnd()) ??
    (row.escape === undefined ? undefined : difference('escape', ast.escape, row.escape)) ??
    difference('start', ast.nodes[0]?.range.startLine, row.startLine) ??
    difference('end', ast.nodes.at(-1)?.range.endLine, row.endLine) ??
    difference('nodes', ast.nodes.map(shown), row.instructions?.map(expected)) ??
    difference('warnings', warnings, row.warnings?.map(({ short, line }) => ({ short, line })) ?? [])
  );
}

function shown(node: Node): unknown {
  return {
    instruction: node.keyword,
    args: node.args,
    flags: node.flags,
    original: node.original,
    startLine: node.range.startLine,
    endLine: node.range.endLine,
    json: node.json,
    heredocs: node.heredocs.map(shownHeredoc),
  };
}

export function shownHeredoc(heredoc: Node['heredocs'][number]): RowHeredoc {
  const { name, expand, chomp, content } = heredoc;
  return { name, fd: heredoc.fileDescriptor, expand, chomp, content };
}

function expected(row: NonNullable<AstRow['instructions']>[number]): unknown {
  const { instruction, args, original, startLine, endLine } = row;
  return {
    instruction,
    args,
    flags: row.flags ?? [],
    original,
    startLine,
    endLine,
    json: row.json ?? false,
    heredocs: (row.heredocs ?? []).map(({ name, fd, expand, chomp, content }) => ({
      name,
      fd,
      expand,
      chomp,
      content,
    })),
  };
}
