import { limits } from '../base/limits.js';
import type { Node } from './ast.js';
import { Fault, type LineRange } from './diagnostic.js';
import { isSpace, quote } from './go-text.js';
import { NOT_STRINGS, parseJsonArray } from './json-array.js';
import { parseWords, splitAll, splitCommand, splitFirst, type EscapeToken } from './words.js';

interface Arguments {
  readonly args: readonly string[];
  readonly json: boolean;
}

type ArgumentParser = (rest: string, escape: EscapeToken) => Arguments;

/** How each instruction cuts up what stands behind its keyword and flags. ONBUILD is cut by `parseNode` itself. */
const PARSERS: Readonly<Record<string, ArgumentParser>> = {
  add: jsonOrWords,
  arg: (rest, escape) => plain(parseWords(rest, escape)),
  cmd: jsonOrText,
  copy: jsonOrWords,
  entrypoint: jsonOrText,
  env: (rest, escape) => plain(nameValues('ENV', rest, escape)),
  expose: (rest) => plain(whiteSpaceList(rest)),
  from: (rest) => plain(whiteSpaceList(rest)),
  healthcheck: typeAndCommand,
  label: (rest, escape) => plain(nameValues('LABEL', rest, escape)),
  maintainer: text,
  run: jsonOrText,
  shell: jsonOrText,
  stopsignal: text,
  user: text,
  volume: jsonOrWords,
  workdir: text,
};

/** One logical line as a node, without heredocs. An unknown keyword is left to `parseInstruction`. Throws a Fault. */
export function parseNode(
  line: string,
  escape: EscapeToken,
  comments: readonly string[],
  range: LineRange,
  depth = 0,
): Node {
  if (depth > limits.nesting) throw new Fault('onbuild', 'ONBUILD within ONBUILD more than is sensible');
  const { keyword, flags, rest } = splitCommand(line, escape);
  const base = { keyword, flags, original: line, heredocs: [], comments, range };
  const name = keyword.toLowerCase();
  if (name === 'onbuild') {
    if (rest === '') return { ...base, args: [], json: false };
    return { ...base, args: [''], json: false, child: parseNode(rest, escape, [], range, depth + 1) };
  }
  const parser = PARSERS[name];
  return { ...base, ...(parser ? parser(rest, escape) : plain([''])) };
}

function plain(args: readonly string[]): Arguments {
  return { args, json: false };
}

function text(rest: string): Arguments {
  return plain(rest === '' ? [] : [rest]);
}

function whiteSpaceList(rest: string): readonly string[] {
  return rest === '' ? [] : splitAll(rest);
}

function jsonOr(rest: string, otherwise: (rest: string) => Arguments): Arguments {
  const array = parseJsonArray(rest);
  if (array.ok) return { args: array.values, json: true };
  if (array.reason === NOT_STRINGS) throw new Fault('json-form', NOT_STRINGS);
  return otherwise(rest);
}

function jsonOrText(rest: string): Arguments {
  return jsonOr(rest, text);
}

function jsonOrWords(rest: string): Arguments {
  return jsonOr(rest, () => plain(whiteSpaceList(rest)));
}

/** HEALTHCHECK: a type, then a command. */
function typeAndCommand(rest: string): Arguments {
  if (rest === '') return plain([]);
  let end = 0;
  while (end < rest.length && !isSpace(rest.charAt(end))) end++;
  let next = end;
  while (next < rest.length && isSpace(rest.charAt(next))) next++;
  const command = jsonOrText(rest.slice(next));
  return { args: [rest.slice(0, end), ...command.args], json: command.json };
}

/** ENV and LABEL: triples of name, value and `=`, or one triple with '' for the old form `name value`. */
function nameValues(keyword: string, rest: string, escape: EscapeToken): readonly string[] {
  const words = parseWords(rest, escape);
  if (words.length === 0) return [];
  if (!words[0]!.includes('=')) {
    const [name, value] = splitFirst(rest);
    if (value === undefined) throw new Fault('arguments', `${keyword} must have two arguments`);
    return [name, value, ''];
  }
  return words.flatMap((word) => {
    const at = word.indexOf('=');
    if (at < 0) {
      throw new Fault('arguments', `Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`);
    }
    return [word.slice(0, at), word.slice(at + 1), '='];
  });
}
