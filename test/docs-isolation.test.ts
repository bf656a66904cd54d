import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';
import { FINDINGS } from '../src/worker/isolation/findings.js';
import { RUNGS } from '../src/worker/isolation/ladder.js';
import { readMachineFacts } from '../src/worker/isolation/machine-facts.js';

const page = readFileSync(path.join(packageRoot(), 'docs/isolation.md'), 'utf8');

/** First and second cell of the rows of the table whose head begins with `head`. */
function tableOf(head: string): readonly (readonly [first: string, second: string])[] {
  const [, table = ''] = page.split(`\n| ${head} |`);
  const rows = table.split('\n\n')[0]!.split('\n').slice(2);
  return rows.map((row) => {
    const [, first = '', second = ''] = row.split(' | ').join('|').split('|');
    return [first.trim().replaceAll('`', ''), second.trim()];
  });
}

test('docs/isolation.md has every rung, best first', () => {
  expect(tableOf('Rung').map(([name]) => name)).toEqual(RUNGS.map(({ name }) => name));
});

test('docs/isolation.md has every finding in the words of doctor', () => {
  expect(tableOf('Finding')).toEqual(Object.entries(FINDINGS));
});

test('docs/isolation.md names the facts that doctor tells', () => {
  const [, named = ''] = tableOf('Key').find(([key]) => key === 'machine')!;
  const keys = [...named.matchAll(/`(\w+)`/g)].map(([, key]) => key);
  expect(Object.keys(readMachineFacts('/tmp', process.env))).toEqual(expect.arrayContaining(keys));
});
