import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../src/base/package-root.js';

test('docs/registries.md: what it says that errors say stands in the source', () => {
  const page = readFileSync(path.join(packageRoot(), 'docs/registries.md'), 'utf8');
  const table = page.slice(page.indexOf('| An error says |')).split('\n').slice(2);
  const messages = table.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, text]) => text!),
  );
  expect(messages.length).toBeGreaterThan(10);
  const source = ['registry', 'build'].map((folder) => textOf(path.join(packageRoot(), 'src', folder))).join('\n');
  // Statuses are put in where an answer is reported.
  const words = messages.map((message) => message.replace(/^(answered) \d+$/, '$1 ${status}'));
  expect(words.filter((message) => !source.includes(message))).toEqual([]);
});

function textOf(dir: string): string {
  const names = readdirSync(dir).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  return names.map((name) => readFileSync(path.join(dir, name), 'utf8')).join('\n');
}
