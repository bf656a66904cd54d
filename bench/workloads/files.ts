import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { printedBy, type BuildRequest } from '../builders/builder.js';
import { archive, checkArchive } from './archive.js';
import { dockerfile, SourceText } from './content.js';
import { cachedSteps, type Workload, type World } from './workload.js';

/** 50,000 files of 124 MB in all: a big repository with what its package manager put there. */
const FILES = 50_000;
const MEAN_BYTES = 2480;
const FOLDERS = 250;

type Context = Pick<BuildRequest, 'context' | 'file'>;

function prepareFiles({ dir, random }: World): Context {
  const context = path.join(dir, 'files');
  if (!existsSync(context)) {
    const text = new SourceText(random);
    for (let i = 0; i < FILES; i++) {
      const folder = path.join(context, `d${i % FOLDERS}`);
      if (i < FOLDERS) mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, `f${i}`), text.take(random.below(2 * MEAN_BYTES)));
    }
  }
  return { context, file: dockerfile(dir, 'files', 'FROM scratch\nCOPY . /files/\n') };
}

export const noopOfMany: Workload = {
  id: 'B',
  title: 'no-op rebuild, context of 50,000 files',
  start: 'warm',
  goal: { peer: 'buildkit', ratio: 0.35 },
  prepare(world) {
    const files = prepareFiles(world);
    return {
      request: () => ({ ...files, output: { kind: 'store' } }),
      check: ({ run }, output) => {
        if (run > 0 && cachedSteps(output) === 0) throw new Error(`nothing was cached:\n${output}`);
      },
    };
  },
};

export const copyMany: Workload = {
  id: 'C',
  title: 'COPY of 50,000 files to an OCI archive',
  start: 'cold',
  goal: { peer: 'buildkit', ratio: 0.25 },
  prepare(world) {
    const files = prepareFiles(world);
    return {
      request: (turn) => ({ ...files, output: archive(world, turn) }),
      check: (turn) => checkArchive(world, turn, files.context, FILES),
    };
  },
};

export const oneOfMany: Workload = {
  id: 'D',
  title: 'one of the 50,000 files changed, again',
  start: 'warm',
  goal: { peer: 'buildkit', ratio: 0.2 },
  prepare(world) {
    const files = prepareFiles(world);
    const target = path.join(files.context, 'd0/f0');
    return {
      before: ({ builder, run }) => writeFileSync(target, `${builder}, run ${run}\n`),
      request: (turn) => ({ ...files, output: archive(world, turn) }),
      check: (turn) => checkArchive(world, turn, files.context, FILES),
    };
  },
};

export const bigFile: Workload = {
  id: 'E',
  title: 'COPY of one 1 GB incompressible file to an OCI archive',
  start: 'cold',
  goal: { peer: 'buildkit', ratio: 0.25 },
  prepare(world) {
    const context = path.join(world.dir, 'big');
    mkdirSync(context, { recursive: true });
    printedBy(['sh', '-c', `head -c 1000000000 /dev/urandom > '${context}/file'`]);
    const file = dockerfile(world.dir, 'big', 'FROM scratch\nCOPY file /big/\n');
    return {
      request: (turn) => ({ context, file, output: archive(world, turn) }),
      check: (turn) => checkArchive(world, turn, context, 1),
    };
  },
};
