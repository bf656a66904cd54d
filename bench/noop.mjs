// npm run bench: how long a rebuild takes in which nothing has changed, from the start of the process to its end.
// The table goes to stderr, the figures as JSON to stdout.
import { spawnSync } from 'node:child_process';
import { bases } from '../scripts/bases.mjs';
import { EXAMPLE_BASES, EXAMPLE_IMAGES, SLIPWAY, exampleBuild } from '../scripts/example.mjs';
import { fail } from '../scripts/say.mjs';
import { setup } from '../scripts/setup.mjs';

const RUNS = 9;

function timed(args) {
  const startedAt = performance.now();
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const ms = performance.now() - startedAt;
  if (result.status !== 0)
    throw new Error(`\`node ${args.join(' ')}\` ended with code ${result.status}:\n${result.stderr}`);
  return ms;
}

function measure(name, args) {
  timed(args); // what is not there yet is made now, and files come into memory
  const runs = Array.from({ length: RUNS }, () => timed(args)).sort((a, b) => a - b);
  const rounded = (ms) => Math.round(ms * 10) / 10;
  return { name, medianMs: rounded(runs[(RUNS - 1) / 2]), minMs: rounded(runs[0]), maxMs: rounded(runs[RUNS - 1]) };
}

try {
  await setup(['start']);
  const layouts = await bases(EXAMPLE_BASES);
  const results = [
    measure('node -e 0', ['-e', '0']),
    measure('slipway --version', [SLIPWAY, '--version']),
    ...EXAMPLE_IMAGES.map((image) => measure(`rebuild ${image.tag}`, [SLIPWAY, ...exampleBuild(image, layouts)])),
  ];
  const line = (name, ...columns) =>
    `${name.padEnd(30)}${columns.map((column) => String(column).padStart(10)).join('')}\n`;
  process.stderr.write(line(`ms, ${RUNS} runs, Node.js ${process.version}`, 'median', 'min', 'max'));
  for (const { name, medianMs, minMs, maxMs } of results) process.stderr.write(line(name, medianMs, minMs, maxMs));
  process.stdout.write(`${JSON.stringify({ node: process.version, runs: RUNS, results })}\n`);
} catch (error) {
  fail(error);
}
