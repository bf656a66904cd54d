import { Fault } from '../../../src/dockerfile/diagnostic.js';
import { heredocOf, heredocsOfLine } from '../../../src/dockerfile/heredoc.js';
import { parseInstruction } from '../../../src/dockerfile/instructions/instruction.js';
import { parseAst } from '../../../src/dockerfile/parse-ast.js';
import { checkAst, shownHeredoc, type AstRow } from '../ast-row.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row extends Omit<AstRow, 'dockerfile'> {
  readonly dockerfile?: string;
  readonly word?: string;
  readonly line?: string;
  readonly heredoc?: Readonly<Record<string, unknown>> | null;
  readonly heredocs?: readonly Readonly<Record<string, unknown>>[];
  readonly dest?: string;
  readonly sources?: readonly string[];
  readonly contents?: readonly unknown[];
  readonly shell?: boolean;
  readonly command?: readonly string[];
  readonly files?: readonly unknown[];
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'heredoc', (row) => {
    if (row.word !== undefined) return checkWord(row.word, row);
    if (row.line !== undefined) {
      return difference('heredocs', heredocsOfLine(row.line).map(withoutContent), row.heredocs);
    }
    if (row.group === 'Copy' || row.group === 'Run' || row.group === 'Errors') return checkInstruction(row);
    return checkAst(row as AstRow);
  });
}

function withoutContent(heredoc: Parameters<typeof shownHeredoc>[0]): unknown {
  const { name, fd, expand, chomp } = shownHeredoc(heredoc);
  return { chomp, expand, fd, name };
}

function checkWord(word: string, row: Row): string | undefined {
  try {
    const heredoc = heredocOf(word);
    return difference('heredoc', heredoc ? withoutContent(heredoc) : null, row.heredoc);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return difference('error', error.message, row.error);
  }
}

function checkInstruction(row: Row): string | undefined {
  try {
    const instruction = parseInstruction(parseAst(row.dockerfile!).nodes[0]!);
    if (instruction.kind === 'copy') {
      return (
        difference('dest', instruction.dest, row.dest) ??
        difference('sources', instruction.sources, row.sources) ??
        difference('contents', instruction.inlineFiles, row.contents)
      );
    }
    if (instruction.kind !== 'run') return `a ${instruction.kind}`;
    const files = instruction.heredocs.map(({ name, content, chomp }) => ({ name, data: content, chomp }));
    return (
      difference('shell', instruction.command.form === 'shell', row.shell) ??
      difference('command', instruction.command.args, row.command) ??
      difference('files', files, row.files)
    );
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return difference('error', error.message, row.error);
  }
}
