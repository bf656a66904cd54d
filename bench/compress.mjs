// npm run bench:compress -- FILE: compressing one file as a layer is compressed, beside one thread of zlib and the programs
// that are there: wall time, processor time, peak memory and size. The table goes to stderr, the figures as JSON to stdout.
//   node bench/compress.mjs FILE [RUNS] [LEVEL]     default: 5 runs, level 6
import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { fail } from '../scripts/say.mjs';

const SAMPLE_MS = 10;
const TICKS_A_SECOND = 100;
const SELF = fileURLToPath(import.meta.url);

/** What is measured in a process of its own, so that its memory is its own. */
const WAYS = {
  'slipway gzip': ({ compress }, source, level) => compress(source, { compression: 'gzip', level }),
  'slipway gzip, one block at a time': ({ parallelGzip }, source, level) =>
    parallelGzip(source, { level, underWay: 1 }),
  'zlib of Node.js, one stream': (_, source, level) => source.pipe(zlib.createGzip({ level, chunkSize: 256 * 1024 })),
  'slipway zstd': ({ compress }, source) => compress(source, { compression: 'zstd' }),
};

async function one(way, file, level, module) {
  const source = createReadStream(file, { highWaterMark: 1024 * 1024 });
  let size = 0;
  for await (const chunk of WAYS[way](await import(module), source, Number(level))) size += chunk.length;
  process.stdout.write(String(size));
}

/** Runs a command to its end; gives the bytes that `sizeOf` reads from what it wrote. */
async function measured(command, args, sizeOf) {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let size = 0;
  child.stdout.on('data', (chunk) => (size = sizeOf(size, chunk)));
  let usage = { cpu: 0, peak: 0 };
  const sample = setInterval(() => (usage = usageOf(child.pid) ?? usage), SAMPLE_MS);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(sample);
  if (code !== 0) throw new Error(`\`${command} ${args.join(' ')}\` ended with code ${code}`);
  return { seconds: (performance.now() - startedAt) / 1000, size, ...usage };
}

/** Processor seconds and the peak of resident memory so far, with what it waited for. */
function usageOf(pid) {
  try {
    const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
    const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .slice(11, 15);
    return { peak, cpu: ticks.reduce((sum, one) => sum + Number(one), 0) / TICKS_A_SECOND };
  } catch {
    return undefined; // it has ended
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function bench(file, runs, level) {
  const { build } = await import('esbuild');
  const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-bench-'));
  try {
    const outfile = path.join(dir, 'compression.mjs');
    const layer = path.join(path.dirname(SELF), '../src/layer');
    const contents = "export { compress } from './compression.js'; export { parallelGzip } from './parallel-gzip.js';";
    await build({ stdin: { contents, resolveDir: layer }, outfile, bundle: true, format: 'esm', platform: 'node' });
    const programs = ['gzip', 'pigz'].filter((program) => !spawnSync(program, ['--version']).error);
    const candidates = [
      ...Object.keys(WAYS).map((name) => ({
        name,
        command: process.execPath,
        args: [SELF, '--one', name, file, String(level), pathToFileURL(outfile).href],
        sizeOf: (_, chunk) => Number(chunk),
      })),
      ...programs.map((command) => ({
        name: `${command} -${level}`,
        command,
        args: ['-c', `-${level}`, file],
        sizeOf: (size, chunk) => size + chunk.length,
      })),
    ];
    const taken = candidates.map(() => []);
    // One run of each in turn: what else the machine does meanwhile falls on all of them.
    for (let run = 0; run < runs; run++) {
      for (const [i, { command, args, sizeOf }] of candidates.entries())
        taken[i].push(await measured(command, args, sizeOf));
    }
    return candidates.map(({ name }, i) => {
      const of = (key) => median(taken[i].map((one) => one[key]));
      return { name, seconds: of('seconds'), cpuSeconds: of('cpu'), peakMb: of('peak') / 1e6, bytes: of('size') };
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

try {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '--one') await one(...rest);
  else {
    if (first === undefined) throw new Error('usage: node bench/compress.mjs FILE [RUNS] [LEVEL]');
    const [runs = 5, level = 6] = rest.map(Number);
    const input = statSync(first).size;
    const results = await bench(first, runs, level);
    const line = (name, ...columns) => `${name.padEnd(36)}${columns.map((one) => String(one).padStart(9)).join('')}\n`;
    process.stderr.write(
      line(`${Math.round(input / 1e6)} MB, medians of ${runs}`, 'MB/s', 's', 'CPU s', 'peak MB', 'of input'),
    );
    for (const { name, seconds, cpuSeconds, peakMb, bytes } of results) {
      const share = `${((100 * bytes) / input).toFixed(2)} %`;
      process.stderr.write(
        line(
          name,
          (input / 1e6 / seconds).toFixed(1),
          seconds.toFixed(2),
          cpuSeconds.toFixed(1),
          Math.round(peakMb),
          share,
        ),
      );
    }
    process.stdout.write(
      `${JSON.stringify({ node: process.version, processors: os.availableParallelism(), runs, level, input, results })}\n`,
    );
  }
} catch (error) {
  fail(error);
}
