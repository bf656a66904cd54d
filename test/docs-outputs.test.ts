import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';
import { parseOutput } from '../src/exporter/output-spec.js';

const page = readFileSync(path.join(packageRoot(), 'docs/outputs.md'), 'utf8');

/** Rows of the table of a section: the cells of each, without the code marks of the first. */
function rowsOf(heading: string): readonly (readonly [option: string, meaning: string])[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))!;
  return [...section.matchAll(/^\| `(.*?)` \|(?:.*\|)? (.*) \|$/gm)].map(([, option = '', meaning = '']) => [
    option.replaceAll('\\|', '|'),
    meaning,
  ]);
}

/** `KEY=a|b` and its likes, as they can be given. */
function settings(option: string): readonly string[] {
  const [, key = '', values = ''] = /^([^=]*)=(.*)$/.exec(option.replace('annotation.KEY=', 'annotation.KEY:='))!;
  const given = values.replace(/\[.*\]/, '').split('|');
  return given.map((value) => `${key.replace(':', '')}=${/^[A-Z]+$/.test(value) ? '1' : value}`);
}

/** The types that the last pair of brackets of a row names; those of the whole table, if it names none. */
function typesOf(meaning: string, all: readonly string[]): readonly string[] {
  const named = /\(((?:`\w+`(?:, )?)+)\)(?:; .*)?$/.exec(meaning)?.[1];
  return named === undefined ? all : [...named.matchAll(/\w+/g)].map(([type]) => type);
}

for (const [heading, all] of [
  ['Options of images', ['image', 'registry', 'oci', 'docker']],
  ['Options of files', ['local', 'tar']],
] as const) {
  test(`docs/outputs.md, ${heading}: every output takes the options that the page gives it`, () => {
    const rows = rowsOf(heading);
    expect(rows.length).toBeGreaterThan(1);
    for (const [option, meaning] of rows) {
      for (const type of typesOf(meaning, all)) {
        const dest = type === 'image' || type === 'registry' || option.startsWith('dest=') ? '' : ',dest=x';
        for (const one of settings(option)) expect(() => parseOutput(`type=${type}${dest},${one}`), one).not.toThrow();
      }
    }
  });
}

test('docs/outputs.md names every type of output, and no other', () => {
  const types = rowsOf('The types').flatMap(([option]) => /^type=(.*)$/.exec(option)?.[1] ?? []);
  const said = ((): string => {
    try {
      parseOutput('type=nothing');
      return '';
    } catch (error) {
      return (error as { readonly hint: string }).hint;
    }
  })();
  expect(types.toSorted()).toEqual(said.replace('the types are: ', '').split(', ').toSorted());
});
