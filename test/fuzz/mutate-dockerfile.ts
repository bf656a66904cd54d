import type { Seeded } from '../support/seeded.js';

/** What the language gives a meaning to, and what a reader may stumble over. */
const TOKENS: readonly string[] = [
  ['${', '}', '$', '$$', '${a', '${a:-', '${a/', '${a//*/', '${a#', '${a%%*', '${:x}', '${a:?', '\\', '`'],
  ['\\\\', '\\\n', '"', "'", '[', ']', '["', '"]', ',', '{', '[]', '[1]', '["\\ud800"]', '["\\x"]', '[["a"]]'],
  ['null', '<<', '<<EOF', '<<-E', "<<'E'", '<<"E', '3<<E', '<<E<<F', '\nEOF\n', '#', '# escape=`\n'],
  ['# check=error=true\n', '# check=skip=all;error=x\n', '--', '--from=', '--from=0', '--from=99', '--mount='],
  ['--mount=type=', '--mount=type=cache,', '--chmod=', '--chmod=u+', '--link', '--link=maybe', '--exclude='],
  ['--parents', '--platform=', '--platform=a/b/c/d', '--interval=1x', '--checksum=', '--unpack=1', 'ONBUILD '],
  ['ONBUILD ONBUILD ', 'FROM ', 'FROM scratch\n', 'ARG ', 'COPY ', 'RUN ', 'HEALTHCHECK CMD ', 'SHELL []'],
  [' AS ', '\0', '\r', '\r\n', '\t', '\v', '\f', '\u00a0', '\u0085', '\u2028', '\ufeff', '\u{1f9ad}', '\ud800'],
  ['\ufffd', '\u202e', '\x1b[31m', '*', '**', '**/', '?', '[a-', '[^', '..', '../../', '/', '//', '.', '!', '~'],
  ['=', '==', ':', '@', '@sha256:', '%', '%zz', '&', '|', '-1', '0', '65536', '99999999999999999999', '1e9'],
  ['0x10', '07777', '٣', 'http://', 'https://[', 'git@', 'x.git#', 'oci-layout://'],
].flat();

const STRETCHED: readonly string[] = [
  '${a:-',
  '(',
  '[',
  '\\',
  '"',
  '*',
  '**/',
  'a',
  ' ',
  '$',
  '{',
  '<<A ',
  '--x ',
  'ONBUILD ',
  '\n',
  '/..',
  '#',
];

/** One to six changes of one of `texts`, with pieces of the others; rather few, so that many stay sound. */
export function mutateDockerfile(texts: readonly string[], seeded: Seeded): string {
  let text = seeded.of(texts);
  for (let left = 1 + seeded.below(1 + seeded.below(6)); left > 0; left--)
    text = seeded.of(CHANGES)(text, seeded, texts);
  return text;
}

type Change = (text: string, seeded: Seeded, texts: readonly string[]) => string;

const CHANGES: readonly Change[] = [
  (text, seeded) => splice(text, seeded.below(text.length + 1), 0, seeded.of(TOKENS)),
  (text, seeded) => splice(text, seeded.below(text.length + 1), 0, seeded.of(TOKENS)),
  (text, seeded) => splice(text, seeded.below(text.length + 1), 1 + seeded.below(3), seeded.of(TOKENS)),
  (text, seeded) => splice(text, seeded.below(text.length + 1), 1 + seeded.below(20), ''),
  (text, seeded) => splice(text, seeded.below(text.length + 1), 1, String.fromCharCode(seeded.below(128))),
  (text, seeded) => text.slice(0, seeded.below(text.length + 1)),
  (text, seeded) => splice(text, seeded.below(text.length + 1), 0, seeded.of(STRETCHED).repeat(1 + seeded.below(3000))),
  (text, seeded) => onLines(text, (lines) => lines.splice(seeded.below(lines.length), 0, seeded.of(lines))),
  (text, seeded) => onLines(text, (lines) => lines.splice(seeded.below(lines.length), 1)),
  (text, seeded, texts) =>
    onLines(text, (lines) => lines.splice(seeded.below(lines.length + 1), 0, seeded.of(seeded.of(texts).split('\n')))),
  (text, seeded) => onLines(text, (lines) => lines.splice(seeded.below(lines.length), 2, lines.join(' '))),
  (text, seeded, texts) => {
    const other = seeded.of(texts);
    return text.slice(0, seeded.below(text.length)) + other.slice(seeded.below(other.length));
  },
  (text, seeded) => onWords(text, (words) => words.splice(seeded.below(words.length), 1, seeded.of(words))),
  (text, seeded) => onWords(text, (words) => words.splice(seeded.below(words.length), 0, seeded.of(TOKENS))),
  (text) => text.replaceAll('\n', '\r\n'),
  (text, seeded) => text.replaceAll(' ', seeded.of([' \\\n', '\t', '  ', '='])),
];

function splice(text: string, at: number, removed: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + removed);
}

function onLines(text: string, change: (lines: string[]) => unknown): string {
  const lines = text.split('\n');
  change(lines);
  return lines.join('\n');
}

function onWords(text: string, change: (words: string[]) => unknown): string {
  const words = text.split(/(?<= )/);
  change(words);
  return words.join('');
}
