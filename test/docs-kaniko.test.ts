import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';
import { KANIKO_FLAGS, type KanikoFlag } from '../src/cli/kaniko/flags.js';
import { helpText, meaningOf } from '../src/cli/kaniko/help.js';

const FLAGS: readonly KanikoFlag[] = KANIKO_FLAGS;

/** A row of the table of docs/kaniko.md. */
function rowOf(flag: KanikoFlag): string {
  const spellings = [
    `--${flag.name}`,
    ...(flag.short ? [`-${flag.short}`] : []),
    ...(flag.old ?? []).map((one) => `--${one}`),
  ];
  return `| ${spellings.map((one) => `\`${one}\``).join(', ')} | ${meaningOf(flag).replaceAll('|', '\\|')} |`;
}

test('docs/kaniko.md tells of every flag what the program does with it', () => {
  const page = readFileSync(path.join(packageRoot(), 'docs/kaniko.md'), 'utf8');
  const rows = page.split('## Flags\n')[1]!.trim().split('\n').slice(2);
  expect(rows).toEqual(FLAGS.map(rowOf));
});

test('no spelling stands for two flags, and each is told by --help', () => {
  const spellings = FLAGS.flatMap(({ name, short, old = [] }) => [name, ...old, ...(short ? [short] : [])]);
  expect(new Set(spellings).size).toBe(spellings.length);
  const help = helpText();
  for (const { name } of FLAGS) expect(help).toContain(`--${name}`);
});
