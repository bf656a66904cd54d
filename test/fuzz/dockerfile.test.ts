import { test } from 'vitest';
import { checkOptionsFor } from '../../src/dockerfile/checks/check-options.js';
import { Checker } from '../../src/dockerfile/checks/checker.js';
import { OutlineCapture } from '../../src/dockerfile/outline.js';
import { parseDockerfile } from '../../src/dockerfile/parse.js';
import { targetsOf } from '../../src/dockerfile/targets.js';
import { convertDockerfile } from '../../src/dockerfile/to-llb/convert.js';
import type { BaseImages, ConvertOptions } from '../../src/dockerfile/to-llb/options.js';
import type { Digest } from '../../src/oci/digest.js';
import { forSeeds, requireOwn } from './build-in-process.js';
import { dockerfiles } from './dockerfiles.js';
import { mutateDockerfile } from './mutate-dockerfile.js';
import { Seeded } from '../support/seeded.js';

const RUNS = 4000;

const digest = `sha256:${'1'.repeat(64)}` as Digest;
const linux = { os: 'linux', architecture: 'amd64' };

/** Every image is there, and brings triggers and an environment along. */
const bases: BaseImages = {
  resolve: (name) =>
    Promise.resolve({
      source: `docker-image://${name}@${digest}`,
      digest,
      config: {
        ...linux,
        config: {
          Env: ['PATH=/bin', 'a=1'],
          OnBuild: name.includes('onbuild') ? ['RUN echo $a', 'COPY <<X /x\ny\nX'] : [],
        },
        rootfs: { type: 'layers', diff_ids: [digest as never] },
      },
    }),
};

/** What a Dockerfile goes through before anything is built; a fault of the file is no failure here. */
async function examine(text: string): Promise<void> {
  const { signal } = new AbortController();
  const convert = async (options: Partial<ConvertOptions>): Promise<void> => {
    await convertDockerfile(
      parseDockerfile(text),
      { buildPlatform: linux, contextExclude: ['*.o'], ...options },
      bases,
      { signal },
    );
  };
  await tolerate(() => convert({}));
  await tolerate(() => convert({ buildArgs: { a: '${b}', b: '"', HTTP_PROXY: 'x' }, labels: { x: 'y' }, target: 'b' }));
  await tolerate(async () => {
    const checker = new Checker(checkOptionsFor(text, {}));
    await convert({ watcher: checker, watchOnly: 'all-stages', assumeBases: true });
    checker.refuseWarnings();
  });
  await tolerate(async () => {
    const outline = new OutlineCapture();
    await convert({ watcher: outline, watchOnly: 'needed-stages' });
    outline.outline();
  });
  await tolerate(async () => void targetsOf(parseDockerfile(text)));
}

async function tolerate(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    requireOwn(error);
  }
}

test(`${RUNS} mutated Dockerfiles give a graph or an error that says what is wrong`, { timeout: 240_000 }, async () => {
  const texts = dockerfiles();
  await forSeeds('a mutated Dockerfile', RUNS, async (seed) => {
    const text = mutateDockerfile(texts, new Seeded(seed));
    try {
      await examine(text);
    } catch (error) {
      throw new Error(JSON.stringify(text.slice(0, 2000)), { cause: error });
    }
  });
});
