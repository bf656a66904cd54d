import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { program } from '../../src/cli/main.js';

/** Commands of a page of the documentation: a block ```sh, and what it is said to print, a block ```text right after. */
export interface CommandBlock {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly commands: string;
  /** Marked ```sh fails: it ends with another code than 0. */
  readonly fails: boolean;
  readonly output: readonly string[];
}

/** The blocks ```sh of a page, in order. */
export function commandBlocks(markdown: string): readonly CommandBlock[] {
  const blocks: { line: number; commands: string; fails: boolean; output: readonly string[] }[] = [];
  let previousEnd = -1;
  for (const found of markdown.matchAll(/^```(\w*) *(\S*)\n(.*?)^```$/gms)) {
    const [whole, language = '', mark = '', text = ''] = found;
    const between = markdown.slice(previousEnd, found.index);
    previousEnd = found.index + whole.length;
    if (language === 'sh') {
      const line = markdown.slice(0, found.index).split('\n').length;
      if (mark !== '' && mark !== 'fails') throw new Error(`line ${line}: unknown mark \`${mark}\``);
      blocks.push({ line, commands: text, fails: mark === 'fails', output: [] });
    } else if (language === 'text' && between.trim() === '' && blocks.length > 0) {
      blocks.at(-1)!.output = text.trimEnd().split('\n');
    }
  }
  return blocks;
}

export interface PageOptions {
  /** What stands in the page for what is here: `localhost:5000` for a registry's true port. */
  readonly replace: Readonly<Record<string, string>>;
  /** Where the commands begin; also for what is written down about them. */
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Runs the commands of a page as one script of bash. Gives what is wrong: the first block that ended in another way than
 * the page says, and blocks that did not print the lines that it shows. `…` in a line stands for anything.
 */
export async function pageFaults(file: string, { replace, dir, env }: PageOptions): Promise<readonly string[]> {
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of Object.entries(replace)) text = text.replaceAll(from, to);
  const blocks = commandBlocks(text);
  const printed = path.join(dir, '.printed');
  mkdirSync(printed);
  const output = (n: number): string => path.join(printed, String(n));
  const script = path.join(printed, 'script');
  writeFileSync(script, blocks.map((block, n) => scriptOf(block, output(n))).join('\n'));
  const child = spawn('bash', ['-euo', 'pipefail', script], { cwd: dir, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let begun = '';
  child.stdout.on('data', (chunk: Buffer) => (begun += chunk.toString('utf8')));
  const [code] = (await once(child, 'close')) as [number | null];
  const count = begun.split('\n').length - 1;
  const name = path.basename(file);
  const faults = blocks.slice(0, count).flatMap(({ line, output: expected }, n) => {
    const said = readFileSync(output(n), 'utf8');
    const missing = firstMissing(expected, said.split('\n'));
    return missing === undefined ? [] : [`${name}:${line}: does not print \`${missing}\`, but:\n${said}`];
  });
  if (code === 0) return faults;
  const last = blocks[count - 1];
  const end = last?.fails ? 'did not fail' : `ended with ${code}`;
  return [`${name}:${last?.line}: ${end}:\n${last?.commands}\n${readFileSync(output(count - 1), 'utf8')}`, ...faults];
}

/** Said on stdout when a block begins, so that it is known how far the script came. */
function scriptOf({ commands, fails, line }: CommandBlock, output: string): string {
  const begin = `echo ${line}`;
  if (!fails) return `${begin}\n{\n${commands}} >'${output}' 2>&1`;
  // Not as a condition: `set -e` would not count in it.
  return `${begin}\nset +e\n(\nset -e\n${commands}) >'${output}' 2>&1\n[ $? != 0 ] || exit 99\nset -e`;
}

/** The first line that is not among those printed after the one before it. */
function firstMissing(expected: readonly string[], printed: readonly string[]): string | undefined {
  let from = 0;
  for (const line of expected) {
    const pattern = new RegExp(`^${line.split('…').map(escaped).join('.*')}$`);
    const at = printed.findIndex((one, n) => n >= from && pattern.test(one.trimEnd()));
    if (at < 0) return line;
    from = at + 1;
  }
  return undefined;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** What `slipway` lines of a page, in whatever kind of block, name that the command line does not know. */
export function unknownFlags(file: string): readonly string[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, n) => {
    const [, text] = /^(?: {4}|\$ )?slipway ((?:[^#'"]|'[^']*'|"[^"]*")*)/.exec(line) ?? [];
    if (text === undefined) return [];
    const fault = flagFault(text);
    return fault === undefined ? [] : [`${path.basename(file)}:${n + 1}: ${fault}: ${line.trim()}`];
  });
}

function flagFault(text: string): string | undefined {
  const words = text
    .split(/[|;&<>]/)[0]!
    .trim()
    .split(/\s+/);
  const cli = program();
  const verb = words.find((word) => !word.startsWith('-'));
  const command = cli.commands.find((one) => one.name() === verb || one.aliases().includes(verb ?? ''));
  if (verb !== undefined && !command) return `no command \`${verb}\``;
  const known = new Set([...optionsOf(cli), ...(command ? optionsOf(command) : []), '--help', '-h']);
  return words
    .filter((word) => /^-{1,2}[a-z]/.test(word))
    .map((word) => word.split('=')[0]!)
    .filter((flag) => !known.has(flag))
    .map((flag) => `no flag \`${flag}\``)[0];
}

function optionsOf(command: Command): readonly string[] {
  return command.options.flatMap(({ long, short }) => [long, short].filter((one) => one !== undefined));
}
