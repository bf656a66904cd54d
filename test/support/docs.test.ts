import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { pageFaults, unknownFlags } from './docs.js';
import { makeTempDir, removeTempDir } from './temp-dir.js';

const dir = makeTempDir('docs');
afterAll(() => removeTempDir(dir));

let pages = 0;
async function faultsOf(...lines: readonly string[]): Promise<readonly string[]> {
  const own = path.join(dir, String(++pages));
  mkdirSync(own);
  const file = path.join(own, 'page.md');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return await pageFaults(file, { replace: { 'localhost:5000': 'host:1' }, dir: own, env: process.env });
}

test('commands run in order in one shell, and print what the page shows', async () => {
  const good = ['```sh', 'x=1', 'cd /', '```', '', '```sh', 'echo "at $PWD: $x localhost:5000"', '```', ''];
  expect(await faultsOf(...good, '```text', 'at /: 1 localhost:5000', '```')).toEqual([]);
  expect(await faultsOf(...good, '```text', 'at …: 1 …', '```')).toEqual([]);
  expect(await faultsOf(...good, '```text', 'at /: 2 …', '```')).toEqual([
    'page.md:6: does not print `at /: 2 …`, but:\nat /: 1 host:1\n',
  ]);
});

test('a command that fails ends the page, unless the page says that it fails', async () => {
  const after = ['```sh', 'echo not reached', '```'];
  const [fault, ...more] = await faultsOf('```sh', 'echo before', 'false', 'true', '```', ...after);
  expect(fault).toContain('page.md:1: ended with 1:\n');
  expect(fault).toContain('before');
  expect(more).toEqual([]);
  expect(await faultsOf('```sh fails', 'false', 'true', '```', ...after)).toEqual([]);
  expect((await faultsOf('```sh fails', 'true', '```', ...after))[0]).toContain('page.md:1: did not fail');
  await expect(faultsOf('```sh skip', 'true', '```')).rejects.toThrow(/unknown mark/);
});

test('commands and flags that do not exist are found', () => {
  const file = path.join(dir, 'flags.md');
  const good = [
    '    slipway build -t app --build-arg V=1 .    # --text',
    '    slipway run -e A=b app',
    '    npm start',
  ];
  writeFileSync(file, good.join('\n'));
  expect(unknownFlags(file)).toEqual([]);
  writeFileSync(file, [...good, 'slipway build --push-it .', '    slipway bild .'].join('\n'));
  expect(unknownFlags(file)).toEqual([
    'flags.md:4: no flag `--push-it`: slipway build --push-it .',
    'flags.md:5: no command `bild`: slipway bild .',
  ]);
});
