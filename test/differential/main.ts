import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { explainedCases } from '../support/explained-cases.js';
import { findBuildKit } from './buildkit.js';
import { Both } from './compare-builds.js';
import { writeRandomCase } from './random-case.js';
import { findCases } from './request.js';

const USAGE = `usage: npm run differential -- [--file NAME] [--base NAME=LAYOUT]… DIR…
       npm run differential -- --random FIRST-LAST   (as many random Dockerfiles, by seed)
`;

/**
 * Builds each directory (or each that lies directly in it) with BuildKit and with Slipway, and compares the images. A line
 * a directory, then the first differences. Exit code 1 on a difference that docs/differences.md does not list, or when what
 * it lists does not differ; 2 when there is nothing to compare with.
 */
async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      file: { type: 'string' },
      base: { type: 'string', multiple: true, default: [] },
      random: { type: 'string' },
    },
  });
  const programs = findBuildKit(process.env);
  const asked = positionals.length > 0 || values.random !== undefined;
  if (!asked || typeof programs === 'string') {
    process.stderr.write(asked ? `error: ${String(programs)}\n` : USAGE);
    return 2;
  }
  const random = mkdtempSync(path.join(os.tmpdir(), 'slipway-random-'));
  const bases = new Map(values.base.map((one) => splitBase(one)));
  const both = await Both.start(programs, { bases, file: values.file });
  process.once('exit', () => rmSync(random, { recursive: true, force: true }));
  const interrupt = (): void => void both.stop().then(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const explained = explainedCases('Live cases that differ');
    for (const seed of seeds(values.random)) writeRandomCase(seed, path.join(random, `seed-${seed}`));
    const dirs = [...positionals, random].flatMap((dir) => findCases(dir));
    let equal = 0;
    let wrong = 0;
    for (const dir of dirs) {
      const name = dir.replace(/\/+$/, '');
      const listed = explained.has(name.slice(name.lastIndexOf('/') + 1));
      const found = await both.compare(dir);
      // Of several faults BuildKit finds any first: of a random Dockerfile only that both fail is compared.
      const differences = dir.startsWith(random) ? found.filter((one) => !one.startsWith('other failure')) : found;
      if (differences.length === 0) equal++;
      if ((differences.length === 0) === listed) wrong++;
      const verdict = differences.length === 0 ? 'equal' : 'differs';
      process.stdout.write(`${name}: ${verdict}${listed ? ', and docs/differences.md lists it' : ''}\n`);
      for (const difference of differences) process.stdout.write(`    ${difference.slice(0, 2000)}\n`);
    }
    process.stdout.write(`equal ${equal}/${dirs.length}\n`);
    return wrong > 0 ? 1 : 0;
  } finally {
    await both.stop();
  }
}

/** `1-20`, or one number. */
function seeds(range: string | undefined): readonly number[] {
  if (range === undefined) return [];
  const [first = 0, last = first] = range.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function splitBase(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new Error(`--base \`${text}\` is not NAME=LAYOUT`);
  return [text.slice(0, at), text.slice(at + 1)];
}

process.exitCode = await main(process.argv.slice(2));
