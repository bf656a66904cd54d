import { expect, test } from 'vitest';
import { DockerfileError, excerpt } from './diagnostic.js';
import { parseDockerfile, requireValid } from './parse.js';

const messages = (source: string): readonly string[] => parseDockerfile(source).diagnostics.map((one) => one.message);

test('stages hold their instructions, global ARGs stand apart', () => {
  const { globalArgs, stages, diagnostics } = parseDockerfile(
    'ARG A=1\nFROM a AS Build\nRUN x\nCOPY --from=b --link x y /z/\nFROM scratch\nCMD ["x"]\n',
  );
  expect(diagnostics).toEqual([]);
  expect(globalArgs.flatMap(({ args }) => args.map(({ key, value }) => [key, value]))).toEqual([['A', '1']]);
  expect(stages.map(({ from, instructions }) => [from.name, from.base, instructions.map(({ kind }) => kind)])).toEqual([
    ['build', 'a', ['run', 'copy']],
    ['', 'scratch', ['cmd']],
  ]);
  expect(stages[0]!.instructions[1]).toMatchObject({ from: 'b', link: true, sources: ['x', 'y'], dest: '/z/' });
});

test('every fault is reported, those of the line parser first, each with its lines', () => {
  const { diagnostics } = parseDockerfile('FROM a\nCOPPY x y\nENV broken\nRUN --mont=x \\\n  y\nUSER\n');
  expect(diagnostics.map(({ message, range }) => [message, range.startLine, range.endLine])).toEqual([
    ['ENV must have two arguments', 3, 3],
    ['dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)', 2, 2],
    ['dockerfile parse error on line 4: unknown flag: --mont (did you mean mount?)', 4, 5],
    ['dockerfile parse error on line 6: USER requires exactly one argument', 6, 6],
  ]);
});

test('the body of a heredoc of an unknown instruction gives no further faults', () => {
  expect(messages('FROM a\nRUNN <<EOF\necho 1\nls\nEOF\nUSER\n')).toEqual([
    'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)',
    'dockerfile parse error on line 6: USER requires exactly one argument',
  ]);
});

test('an error carries all diagnostics and is named by the first', () => {
  const dockerfile = parseDockerfile('FROM a\nUSER\nWORKDIR\n', { fileName: 'x.Dockerfile' });
  const error = (() => {
    try {
      requireValid(dockerfile);
      return undefined;
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(DockerfileError);
  expect(error).toMatchObject({
    code: 'DOCKERFILE_INVALID',
    message: 'dockerfile parse error on line 2: USER requires exactly one argument',
    fileName: 'x.Dockerfile',
  });
  expect((error as DockerfileError).diagnostics).toHaveLength(2);
});

test('bytes are read as UTF-8, with or without a byte order mark and carriage returns', () => {
  const bytes = Buffer.from('\ufeff# escape=`\r\nFROM a\r\nLABEL a=é`\r\n  b=2\r\n');
  const { escape, stages, directives } = parseDockerfile(bytes);
  expect(escape).toBe('`');
  expect(directives).toEqual([{ name: 'escape', value: '`', line: 1 }]);
  expect(stages[0]!.instructions[0]).toMatchObject({
    kind: 'label',
    pairs: [
      { key: 'a', value: 'é' },
      { key: 'b', value: '2' },
    ],
  });
});

test('an empty line inside an instruction is noted', () => {
  const { emptyContinuations } = parseDockerfile('FROM a\nRUN x \\\n\n  y\n');
  expect(emptyContinuations).toEqual([4]);
});

test('a line over the limit is refused with its number', () => {
  const long = `RUN ${'x'.repeat(65535)}`;
  expect(parseDockerfile(`FROM a\n${long}\n`).diagnostics).toMatchObject([
    { message: 'dockerfile line greater than max allowed size of 65535', range: { startLine: 2 } },
  ]);
  expect(messages(`FROM a\n${long.slice(4)}\n`)[0]).toMatch(/unknown instruction/);
});

test('an excerpt marks the lines', () => {
  expect(excerpt('a\nb\nc\nd\ne\nf', { startLine: 3, endLine: 4 })).toBe(
    ['   1 |     a', '   2 |     b', '   3 | >>> c', '   4 | >>> d', '   5 |     e', '   6 |     f'].join('\n'),
  );
});
