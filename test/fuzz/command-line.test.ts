import { expect } from 'vitest';
import { test } from '../support/workspace.js';
import { FIRST_SEED } from './build-in-process.js';
import { dockerfiles } from './dockerfiles.js';
import { mutateDockerfile } from './mutate-dockerfile.js';
import { Seeded } from '../support/seeded.js';

const RUNS = 60;
const AT_ONCE = 3;

/** With a bit of everything that the corpus copies. Nothing is run: a mutation may say anything. */
const withoutRun = (text: string): string => text.replace(/\bRUN\b/gi, 'LABEL');

test(`${RUNS} mutated Dockerfiles through the command line`, { timeout: 240_000 }, async ({ work }) => {
  const texts = dockerfiles()
    .map(withoutRun)
    .filter((text) => !/https?:|git|ssh/.test(text));
  work.write({ 'a/b': 'x', b: 'y', 'c.txt': 'z' });
  const seeds = Array.from({ length: RUNS }, (_, i) => FIRST_SEED + i);
  const next = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const text = withoutRun(mutateDockerfile(texts, new Seeded(seed)));
      const command = seed % 2 === 0 ? ['check', '-f', '-', work.context] : work.buildArgs(['-f', '-']);
      const ended = await work.run(command, { input: text });
      const seen = `SLIPWAY_TEST_SEED=${seed} ${JSON.stringify(text.slice(0, 1000))}\n${ended.output}`;
      expect(ended.code === 0 || ended.code === 1, seen).toBe(true);
      expect(/this is a bug|\n {4}at /.test(ended.output), seen).toBe(false);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
});
