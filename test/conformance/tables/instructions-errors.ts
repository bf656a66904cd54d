import { Fault } from '../../../src/dockerfile/diagnostic.js';
import { parseFlags, type FlagKind } from '../../../src/dockerfile/flags.js';
import { parseDevice } from '../../../src/dockerfile/instructions/device.js';
import { parseInstruction } from '../../../src/dockerfile/instructions/instruction.js';
import { parseAst } from '../../../src/dockerfile/parse-ast.js';
import { parseDockerfile } from '../../../src/dockerfile/parse.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly dockerfile?: string;
  readonly stage?: 'parse' | 'instructions';
  readonly error?: string | boolean | null;
  readonly nodeInstruction?: string;
  readonly nodeArgs?: readonly string[];
  readonly flags?: readonly (readonly [string, string, string | boolean])[];
  readonly args?: readonly string[];
  readonly values?: Readonly<Record<string, string | boolean>>;
  readonly used?: readonly string[];
  readonly input?: string;
  readonly name?: string;
  readonly required?: boolean;
  readonly stageComments?: readonly string[];
  readonly globalArgComments?: Readonly<Record<string, string>>;
  readonly stageArgComments?: readonly (readonly [string, string])[];
}

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'instructions-errors', (row) => {
    if (row.group === 'builderFlags') return checkFlags(row);
    if (row.group === 'runDevice') return checkDevice(row);
    if (row.group === 'docComments') return checkDocComments(row);
    if (row.nodeInstruction !== undefined) return checkNode(row);
    return row.group === 'upstream' ? checkSingle(row) : checkFile(row);
  });
}

/** The message of the Fault that `task` throws. */
function faultOf(task: () => void): string | undefined {
  try {
    task();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

/** Two names are equally near to some typing errors, and BuildKit takes either. */
function checkMessage(actual: string | undefined, row: Row): string | undefined {
  const plain = (text: string | undefined): string | undefined => text?.replace(/ \(did you mean \S+\?\)$/, '');
  const expected = typeof row.error === 'string' ? row.error : undefined;
  if (expected?.includes('did you mean')) {
    return (
      difference('error', plain(actual), plain(expected)) ?? (actual === plain(actual) ? 'no suggestion' : undefined)
    );
  }
  return difference('error', actual, expected);
}

function checkFlags(row: Row): string | undefined {
  const known: Record<string, FlagKind> = {};
  const values: Record<string, unknown> = {};
  for (const [type, name, fallback] of row.flags!) {
    known[name] = type === 'bool' ? 'bool' : 'string';
    values[name] = fallback;
  }
  let given: Readonly<Record<string, unknown>> = {};
  const fault = faultOf(() => {
    given = parseFlags(row.args!, known);
  });
  if (fault !== undefined || row.error) return difference('fails', fault !== undefined, row.error ?? false);
  if (row.used) return difference('used', Object.keys(given).sort(), row.used);
  return difference('values', { ...values, ...given }, row.values);
}

function checkDevice(row: Row): string | undefined {
  let device: unknown;
  const fault = faultOf(() => {
    device = parseDevice(row.input!);
  });
  if (fault !== undefined || row.error) return checkMessage(fault, row);
  return difference('device', device, { name: row.name, required: row.required });
}

function checkDocComments(row: Row): string | undefined {
  const { stages, globalArgs } = parseDockerfile(row.dockerfile!);
  const globals = globalArgs.flatMap((one) => one.args).map(({ key, docComment }) => [key, docComment ?? '']);
  const inStages = stages
    .flatMap((stage) => stage.instructions)
    .flatMap((one) => (one.kind === 'arg' ? one.args : []))
    .map(({ key, docComment }) => [key, docComment ?? '']);
  return (
    difference(
      'stages',
      stages.map(({ from }) => from.docComment ?? ''),
      row.stageComments,
    ) ??
    difference('globals', Object.fromEntries(globals), row.globalArgComments) ??
    difference('args', inStages, row.stageArgComments)
  );
}

function checkNode(row: Row): string | undefined {
  const range = { startLine: 1, endLine: 1 };
  const base = { flags: [], json: false, original: '', heredocs: [], comments: [], range };
  const node = { ...base, keyword: row.nodeInstruction!, args: row.nodeArgs! };
  return checkMessage(
    faultOf(() => parseInstruction(node)),
    row,
  );
}

function checkSingle(row: Row): string | undefined {
  const node = parseAst(row.dockerfile!).nodes[0]!;
  return checkMessage(
    faultOf(() => parseInstruction(node)),
    row,
  );
}

function checkFile(row: Row): string | undefined {
  if (row.stage === 'parse') return checkMessage(parseAst(row.dockerfile!).faults[0]?.message, row);
  return checkMessage(
    parseDockerfile(row.dockerfile!).diagnostics.find((one) => one.severity === 'error')?.message,
    row,
  );
}
