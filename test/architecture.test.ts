import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';

const SRC = path.resolve(import.meta.dirname, '../src');

/** Lowest first. A folder may import itself and any folder on an earlier line. */
const LAYERS = [
  ['base'],
  ['oci'],
  ['llb'],
  ['job'],
  ['dockerfile', 'layer', 'snapshot', 'registry', 'remote', 'store', 'solver'],
  ['executor'],
  ['worker', 'transfer'],
  ['exporter', 'report'],
  ['build'],
  ['cli'],
];
const rank = new Map(LAYERS.flatMap((names, i) => names.map((name) => [name, i] as const)));
const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;
const MAX_LINES = 350;

interface Source {
  readonly file: string;
  readonly name: string;
  readonly text: string;
}

async function sources(): Promise<Source[]> {
  const found: Source[] = [];
  for (const entry of await readdir(SRC, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const file = path.join(entry.parentPath, entry.name);
    found.push({ file, name: path.relative(SRC, file), text: await readFile(file, 'utf8') });
  }
  return found;
}

function folderOf(file: string): string {
  return path.relative(SRC, file).split(path.sep)[0]!;
}

function rankOf(folder: string): number {
  const found = rank.get(folder);
  if (found === undefined) throw new Error(`src/${folder} has no place in LAYERS`);
  return found;
}

test('every import points down', async () => {
  const wrong: string[] = [];
  for (const { file, name, text } of await sources()) {
    const from = folderOf(file);
    for (const [, spec] of text.matchAll(IMPORT)) {
      const to = folderOf(path.resolve(path.dirname(file), spec!));
      if (from !== to && rankOf(from) <= rankOf(to)) wrong.push(`${name} imports ${to}/`);
    }
  }
  expect(wrong).toEqual([]);
});

test('only the command line prints, reads its arguments and ends the process', async () => {
  // The worker's entry is a program of its own: it ends when its main process goes.
  const allowed = (name: string): boolean => name.startsWith('cli/') || /\.(test|fixture)\.ts$/.test(name);
  const wrong = (await sources())
    .filter(({ name }) => !allowed(name))
    .flatMap(({ name, text }) =>
      [/\bconsole\./, /\bprocess\.exit\b/, /\bprocess\.argv\b/]
        .filter(
          (pattern) => pattern.test(text) && !(name === 'worker/process/main.ts' && pattern.source.includes('exit')),
        )
        .map((pattern) => `${name} uses ${pattern.source}`),
    );
  expect(wrong).toEqual([]);
});

test('no file is so long that it must hold two things', async () => {
  const long = (await sources())
    .map(({ name, text }) => ({ name, lines: text.split('\n').length }))
    .filter(({ name, lines }) => !name.endsWith('.test.ts') && lines > MAX_LINES);
  expect(long).toEqual([]);
});

test('no folder is named after nothing', async () => {
  const vague = (await sources()).filter(({ name }) =>
    /(?:^|\/)(?:utils?|helpers?|managers?|misc|common)\b/.test(name),
  );
  expect(vague.map(({ name }) => name)).toEqual([]);
});
