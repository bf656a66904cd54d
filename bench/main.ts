// npm run bench: the workloads of bench/workloads/, by Slipway and by whatever peers are here, turn and turn about.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findBuildKit } from '../test/differential/buildkit.js';
import { TestRegistry } from '../test/support/registry.js';
import { Seeded } from '../test/support/seeded.js';
import { printedBy, type Builder } from './builders/builder.js';
import { BuildahBuilder } from './builders/buildah.js';
import { BuildKitBuilder } from './builders/buildkit.js';
import { DockerBuilder } from './builders/docker.js';
import { Slipway } from './builders/slipway.js';
import { measure, type Measured } from './measure.js';
import { secondsInRuns } from './run-times.js';
import { table, type Figures, type WorkloadResult } from './table.js';
import { WORKLOADS } from './workloads/index.js';
import type { Prepared, Turn, Workload, World } from './workloads/workload.js';

const SEED = 20_261_121;
/** Nothing is remembered of files that have just been made; nobody has a context that is. */
const AGE_MS = 3000;
const HELP = `npm run bench -- [OPTIONS]
  --only A,B        workloads; default: all
  --runs 5          timed builds of each builder
  --peers LIST      of buildkit,docker,buildah; default: all that are here
  --dir DIR         where contexts and stores lie; default /dev/shm
  --json FILE       writes the figures there as well
  --profiles DIR    builds with Slipway alone, once; its main process writes its processor profile into DIR/WORKLOAD/
The table goes to stderr, the figures as JSON to stdout.
`;

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '5' },
    peers: { type: 'string', default: 'buildkit,docker,buildah' },
    dir: { type: 'string', default: '/dev/shm' },
    json: { type: 'string' },
    profiles: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function say(about: string, message: string): void {
  process.stderr.write(`${about.padEnd(10)} ${message}\n`);
}

function findPeers(wanted: readonly string[], dir: string): readonly Builder[] {
  const found: Record<string, () => Builder | string> = {
    buildkit: () => {
      const programs = findBuildKit(process.env);
      return typeof programs === 'string' ? programs : new BuildKitBuilder(programs, dir);
    },
    docker: () => {
      const there = DockerBuilder.find();
      return typeof there === 'string' ? there : new DockerBuilder(there.root, dir);
    },
    buildah: () => {
      const there = BuildahBuilder.find();
      return typeof there === 'string' ? there : new BuildahBuilder(there.program, dir);
    },
  };
  return wanted.flatMap((name) => {
    const peer = found[name]?.() ?? `no such peer; there are ${Object.keys(found).join(', ')}`;
    if (typeof peer !== 'string') return [peer];
    say(name, `left out: ${peer}`);
    return [];
  });
}

/** Undefined when the builder cannot do it. */
async function once(
  workload: Workload,
  builder: Builder,
  prepared: Prepared,
  run: number,
): Promise<Measured | undefined> {
  const turn: Turn = { builder: builder.name, run };
  if (workload.start === 'cold') await builder.forget();
  prepared.before?.(turn);
  const command = builder.command(prepared.request(turn));
  if (!command) return undefined;
  const isOwn = builder.isOwn?.bind(builder);
  const measured = await measure(command, { env: builder.env, ...(isOwn && { isOwn }) });
  prepared.check(turn, measured.output);
  return measured;
}

async function benchmark(workload: Workload, builders: readonly Builder[], world: World): Promise<WorkloadResult> {
  say(workload.id, workload.title);
  const prepared = workload.prepare(world);
  await sleep(AGE_MS);
  const results = new Map<Builder, { seconds: number[]; beyondRuns: number[]; peak: number }>();
  const firstRun = workload.start === 'warm' ? 0 : 1;
  for (let run = firstRun; run <= Number(flags.runs); run++) {
    for (const builder of builders) {
      const measured = await once(workload, builder, prepared, run);
      if (!measured || run === 0) continue;
      const result = results.get(builder) ?? { seconds: [], beyondRuns: [], peak: 0 };
      results.set(builder, result);
      result.seconds.push(measured.seconds);
      result.beyondRuns.push(measured.seconds - secondsInRuns(measured.output));
      result.peak = Math.max(result.peak, measured.peak);
      say(workload.id, `${builder.name} ${measured.seconds.toFixed(3)} s`);
    }
  }
  const figures = [...results].map(([builder, { seconds, beyondRuns, peak }]): Figures => {
    const more = { ...(workload.beyondRuns && { beyondRuns }), ...(builder.isOwn && { peak }) };
    return { builder: builder.name, seconds, ...more };
  });
  return { id: workload.id, title: workload.title, ...(workload.goal && { goal: workload.goal }), figures };
}

/** Gives references of base images in the registry, which get there when they are first asked for. */
function basesIn(registry: string): World['base'] {
  const layouts = JSON.parse(process.env['SLIPWAY_BENCH_BASES'] ?? '{}') as Readonly<Record<string, string>>;
  const there = new Set<string>();
  return (name) => {
    const ref = `${registry}/${name}`;
    if (there.has(name)) return ref;
    const to = ['--dest-tls-verify=false', '--dest-compress', `oci:${layouts[name]!}`, `docker://${ref}`];
    printedBy(['skopeo', '--insecure-policy', 'copy', ...to]);
    there.add(name);
    return ref;
  };
}

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  // Where it is set, every start of Node.js 20 reads all certificates, 46 ms here; nothing that is measured needs it.
  delete process.env['NODE_EXTRA_CA_CERTS'];
  const only = flags.only?.split(',');
  const workloads = WORKLOADS.filter(({ id }) => !only || only.includes(id));
  const dir = mkdtempSync(path.join(flags.dir, 'sb-'));
  const builders: Builder[] = [];
  try {
    await using registry = await TestRegistry.start(path.join(dir, 'registry'));
    const helper = new Slipway(path.join(dir, 'helper'));
    const { host } = registry;
    const world: World = { dir, registry: host, random: new Seeded(SEED), base: basesIn(host), helper };
    const profiles = flags.profiles && path.resolve(flags.profiles);
    const found = [new Slipway(dir), ...(profiles ? [] : findPeers(flags.peers.split(','), dir))];
    for (const builder of found) {
      await builder.start();
      builders.push(builder);
    }
    const results: WorkloadResult[] = [];
    for (const workload of workloads) {
      if (profiles) await profile(workload, world, path.join(profiles, workload.id));
      else results.push(await benchmark(workload, builders, world));
    }
    if (!profiles) report(results, builders);
  } finally {
    for (const builder of builders) await builder.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function profile(workload: Workload, world: World, to: string): Promise<void> {
  say(workload.id, workload.title);
  const prepared = workload.prepare(world);
  const plain = new Slipway(world.dir);
  if (workload.start === 'warm') await once(workload, plain, prepared, 0);
  mkdirSync(to, { recursive: true });
  await once(workload, new Slipway(world.dir, { profiles: to }), prepared, 1);
}

function report(results: readonly WorkloadResult[], builders: readonly Builder[]): void {
  const [cpu] = os.cpus();
  const machine = { cpus: os.cpus().length, model: cpu?.model, memory: os.totalmem(), kernel: os.release() };
  const versions = { node: process.version, ...Object.fromEntries(builders.map((one) => [one.name, one.version()])) };
  const all = { date: new Date().toISOString(), runs: Number(flags.runs), dir: flags.dir, machine, versions, results };
  process.stderr.write(`\n${table(results)}\n`);
  process.stdout.write(`${JSON.stringify(all)}\n`);
  if (flags.json) writeFileSync(flags.json, `${JSON.stringify(all, undefined, 2)}\n`);
}

await main();
