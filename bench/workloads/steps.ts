import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { printedBy, type BuildRequest } from '../builders/builder.js';
import { archive, namesInLastLayer } from './archive.js';
import { dockerfile, noise, SourceText } from './content.js';
import type { Prepared, Workload, World } from './workload.js';

const MIDDLE_STAGES = 10;
const CHAIN = 60;
const BASE_FILES = 20_000;
const BASE_FILE_BYTES = 25_000;

function onBusybox({ dir, base }: World): Pick<BuildRequest, 'context' | 'bases'> {
  const context = path.join(dir, 'empty');
  mkdirSync(context, { recursive: true });
  return { context, bases: { busybox: base('busybox') } };
}

/** Built anew each time; every RUN says `ran`. */
function uncached(world: World, name: string, source: string, runs: number): Prepared {
  const file = dockerfile(world.dir, name, source);
  return {
    request: () => ({ ...onBusybox(world), file, noCache: true, output: { kind: 'store' } }),
    check: (_, output) => {
      const ran = output.match(/^(#\d+ [\d.]+ )?ran \d+\r?$/gm)?.length ?? 0;
      if (ran !== runs) throw new Error(`${ran} steps ran, not ${runs}:\n${output}`);
    },
  };
}

export const diamond: Workload = {
  id: 'H',
  title: '12-stage diamond, each stage sleeps 1 s: 3 s are the least',
  start: 'warm',
  prepare(world) {
    const step = (i: number): string => `RUN sleep 1 && echo ran ${i} && echo ${i} > /m${i}\n`;
    const middle = Array.from({ length: MIDDLE_STAGES }, (_, i) => `FROM first AS m${i}\n${step(i)}`).join('');
    const copies = Array.from({ length: MIDDLE_STAGES }, (_, i) => `COPY --from=m${i} /m${i} /\n`).join('');
    const source = `FROM busybox AS first\n${step(100)}${middle}FROM busybox\n${copies}${step(101)}`;
    return uncached(world, 'diamond', source, MIDDLE_STAGES + 2);
  },
};

export const chain: Workload = {
  id: 'I',
  title: `chain of ${CHAIN} small RUNs`,
  start: 'warm',
  prepare(world) {
    const steps = Array.from({ length: CHAIN }, (_, i) => `RUN echo ran ${i} && echo ${i} > /step-${i}\n`).join('');
    return uncached(world, 'chain', `FROM busybox\n${steps}`, CHAIN);
  },
};

export const heavyBase: Workload = {
  id: 'J',
  title: 'RUN touch /x on a base of 500 MB, to an OCI archive',
  start: 'cold',
  prepare(world) {
    const base = `${world.registry}/heavy`;
    pushHeavy(world, base);
    const file = dockerfile(world.dir, 'heavy', 'FROM heavy\nRUN touch /x\n');
    const { context } = onBusybox(world);
    return {
      request: (turn) => ({ context, file, bases: { heavy: base }, output: archive(world, turn) }),
      check: (turn) => {
        const names = namesInLastLayer(world, turn).filter((name) => !name.endsWith('/'));
        if (names.join() !== 'x') throw new Error(`${turn.builder}: the layer has ${names.slice(0, 9).join(', ')}`);
      },
    };
  },
};

/** Files of which every second one compresses, on busybox. */
function pushHeavy(world: World, ref: string): void {
  const context = path.join(world.dir, 'heavy');
  const text = new SourceText(world.random);
  for (let i = 0; i < BASE_FILES; i++) {
    const folder = path.join(context, 'tree', `d${i % 200}`);
    if (i < 200) mkdirSync(folder, { recursive: true });
    const content = i % 2 === 0 ? text.take(BASE_FILE_BYTES) : noise(world.random, BASE_FILE_BYTES);
    writeFileSync(path.join(folder, `f${i}`), content);
  }
  const file = dockerfile(world.dir, 'heavy-base', 'FROM busybox\nCOPY tree /tree\n');
  const { bases } = onBusybox(world);
  printedBy(world.helper.command({ context, file, ...(bases && { bases }), output: { kind: 'push', ref } })!);
  rmSync(context, { recursive: true });
}
