import { trim } from './go-text.js';
import type { Node } from './ast.js';
import { DockerfileError, Fault, type Diagnostic } from './diagnostic.js';
import type { Directive } from './directives.js';
import type { ArgInstruction } from './instructions/arg.js';
import type { FromInstruction } from './instructions/from.js';
import { parseInstruction, UNKNOWN_INSTRUCTION, type StageInstruction } from './instructions/instruction.js';
import { parseAst } from './parse-ast.js';
import type { EscapeToken } from './words.js';

export interface ParseOptions {
  /** Shown in errors; default `Dockerfile`. */
  readonly fileName?: string;
}

/** FROM and what follows until the next one. */
export interface Stage {
  readonly index: number;
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

export interface Dockerfile {
  readonly fileName: string;
  readonly source: string;
  readonly escape: EscapeToken;
  readonly directives: readonly Directive[];
  /** ARG before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  /** Last lines of instructions that go on over an empty line. */
  readonly emptyContinuations: readonly number[];
  /** Some line could not even be cut into words: BuildKit then looks at no instruction at all. */
  readonly malformed: boolean;
  /** In the order in which BuildKit would meet them. With an error among them nothing can be built. */
  readonly diagnostics: readonly Diagnostic[];
}

const EMPTY_FILE: Diagnostic = {
  severity: 'error',
  rule: 'empty',
  message: 'the Dockerfile cannot be empty',
  hint: 'start it with FROM',
  range: { startLine: 1, endLine: 1 },
};

/** Reads a Dockerfile. Never throws for a fault of the file: all of them are in `diagnostics`. */
export function parseDockerfile(input: string | Uint8Array, options: ParseOptions = {}): Dockerfile {
  const source = typeof input === 'string' ? input : Buffer.from(input).toString('utf8');
  const ast = parseAst(source);
  const stages: { index: number; from: FromInstruction; instructions: StageInstruction[] }[] = [];
  const globalArgs: ArgInstruction[] = [];
  const errors: Diagnostic[] = [];
  let cascade = false;
  for (const node of ast.nodes) {
    try {
      const instruction = parseInstruction(node);
      cascade = false;
      const stage = stages.at(-1);
      if (instruction.kind === 'from') stages.push({ index: stages.length, from: instruction, instructions: [] });
      else if (stage !== undefined) stage.instructions.push(instruction);
      else if (instruction.kind === 'arg') globalArgs.push(instruction);
      else errors.push(error('no-stage', 'no build stage in current context', node, 'start the stage with FROM'));
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      const unknown = fault.rule === UNKNOWN_INSTRUCTION;
      if (unknown && cascade) continue; // a line of the heredoc that the unknown instruction above has opened
      cascade = unknown && node.original.includes('<<');
      const line = node.range.startLine;
      errors.push(error(fault.rule, `dockerfile parse error on line ${line}: ${fault.message}`, node, fault.hint));
    }
  }
  return {
    fileName: options.fileName ?? 'Dockerfile',
    source,
    escape: ast.escape,
    directives: ast.directives,
    globalArgs,
    stages,
    emptyContinuations: ast.emptyContinuations.map(({ line }) => line),
    malformed: ast.faults.length > 0,
    diagnostics: source === '' ? [EMPTY_FILE] : [...ast.faults, ...errors],
  };
}

/** Throws a DockerfileError when the file has an error. */
export function requireValid(dockerfile: Dockerfile): void {
  if (dockerfile.diagnostics.some((one) => one.severity === 'error')) {
    throw new DockerfileError(dockerfile.fileName, dockerfile.source, dockerfile.diagnostics);
  }
}

/** The instruction that an image stores for ONBUILD. Throws a Fault. */
export function parseTrigger(expression: string, range: Node['range']): StageInstruction {
  const ast = parseAst(expression);
  const fault = ast.faults[0];
  if (fault !== undefined) throw new Fault(fault.rule, fault.message, fault.hint);
  const [node, second] = ast.nodes;
  if (node === undefined || second !== undefined) {
    throw new Fault('onbuild', 'onbuild trigger should be a single expression');
  }
  const instruction = parseInstruction({ ...node, original: trim(node.original), range });
  if (instruction.kind === 'from') throw new Fault('onbuild', "FROM isn't allowed as an ONBUILD trigger");
  return instruction;
}

function error(rule: string, message: string, node: Node, hint: string | undefined): Diagnostic {
  return { severity: 'error', rule, message, range: node.range, ...(hint === undefined ? {} : { hint }) };
}
