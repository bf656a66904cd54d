// npm run bench:registry: pushing and pulling one big layer, beside `skopeo copy` of the same image in the same run: how
// long, and the most memory that the process had. The table goes to stderr, the figures as JSON to stdout.
//   node bench/registry.mjs [MEGABYTES]     default 2048
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { SLIPWAY } from '../scripts/example.mjs';
import { fail } from '../scripts/say.mjs';
import { setup } from '../scripts/setup.mjs';

const SAMPLE_MS = 20;

/** Runs a command to its end; gives its seconds, and the peak of its resident memory in bytes. */
async function measured(name, command, args) {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = (output + chunk).slice(-4000)));
  let peak = 0;
  const sample = setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), SAMPLE_MS);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(sample);
  if (code !== 0) throw new Error(`\`${command} ${args.join(' ')}\` ended with code ${code}:\n${output}`);
  return { name, seconds: Math.round(performance.now() - startedAt) / 1000, peakMb: Math.round(peak / 1e6) };
}

/** The kernel's own high-water mark, so that nothing between two samples is missed but the very end. */
function peakOf(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}

async function startRegistry(dir) {
  mkdirSync(dir);
  const port = await new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
  const config = path.join(dir, 'registry.yml');
  const storage = path.join(dir, 'registry');
  writeFileSync(
    config,
    `version: 0.1\nstorage: {filesystem: {rootdirectory: ${storage}}}\nhttp: {addr: 127.0.0.1:${port}}\nlog: {level: error}\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore', env: {} });
  for (let i = 0; ; i++) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      (response) => response.ok,
      () => false,
    );
    if (up) return { child, host: `127.0.0.1:${port}` };
    if (i === 100 || child.exitCode !== null) throw new Error('docker-registry does not answer');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Half of it compresses, half does not, as in a layer of programs and archives. */
function writeBigFile(file, megabytes) {
  const fd = openSync(file, 'w');
  const random = Buffer.alloc(1024 * 1024);
  const text = Buffer.from('Slipway turns a Dockerfile into the smallest image it can. '.repeat(20_000)).subarray(
    0,
    random.length,
  );
  for (let i = 0; i < megabytes; i++) writeSync(fd, i % 2 === 0 ? randomFillSync(random) : text);
  closeSync(fd);
}

const megabytes = Number(process.argv[2] ?? 2048);
const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-bench-'));
const registries = [];
try {
  await setup(['start', 'test']);
  const context = path.join(dir, 'context');
  mkdirSync(context);
  writeBigFile(path.join(context, 'big'), megabytes);
  writeFileSync(path.join(context, 'Dockerfile'), 'FROM scratch\nCOPY big /\n');
  for (const name of ['a', 'b']) registries.push(await startRegistry(path.join(dir, name)));
  const [registry, other] = registries;
  const slipway = (store, ...args) => [SLIPWAY, '--root', path.join(dir, store), ...args];
  const image = `${registry.host}/bench/big:1`;
  const layout = path.join(dir, 'layout');
  const node = process.execPath;
  const results = [
    await measured('slipway build', node, slipway('store', 'build', '--progress', 'plain', '-t', image, context)),
    await measured('slipway push', node, slipway('store', 'push', image)),
    await measured('slipway push again', node, slipway('store', 'push', image)),
    await measured('slipway pull', node, slipway('other', 'pull', image)),
    await measured('slipway copy to a layout', node, slipway('other', 'copy', image, `oci:${layout}:1`)),
    await measured('skopeo copy from the registry', 'skopeo', [
      'copy',
      '--src-tls-verify=false',
      `docker://${image}`,
      `oci:${layout}-skopeo:1`,
    ]),
    await measured('skopeo copy of it to a registry', 'skopeo', [
      'copy',
      '--dest-tls-verify=false',
      `oci:${layout}-skopeo:1`,
      `docker://${other.host}/bench/big:1`,
    ]),
  ];
  const line = (name, ...columns) => `${name.padEnd(34)}${columns.map((one) => String(one).padStart(12)).join('')}\n`;
  process.stderr.write(line(`one layer of ${megabytes} MiB`, 'seconds', 'peak MB'));
  for (const { name, seconds, peakMb } of results) process.stderr.write(line(name, seconds, peakMb));
  process.stdout.write(`${JSON.stringify({ node: process.version, megabytes, results })}\n`);
} catch (error) {
  fail(error);
} finally {
  for (const { child } of registries) child.kill();
  rmSync(dir, { recursive: true, force: true });
}
