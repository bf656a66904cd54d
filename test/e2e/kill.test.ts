import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { blobFaults, layoutFaults } from '../support/check-layout.js';
import { describeEntry } from '../support/image.js';
import { MARK, mountsBelow, processesLeft, processesOf } from '../support/processes.js';
import { makeTar } from '../support/tar.js';
import { test, type Built } from '../support/workspace.js';

const KILLS = 50;
const SEED = 20_240_607;

/** Everything a worker does: unpacks a base, runs, copies between stages, packs, exports. The RUNs name `word`. */
function dockerfile(word: string): string {
  return `FROM busybox AS first
COPY . /context
ARG SALT
RUN echo ${word} && mkdir /many && for i in $(seq 200); do echo $i > /many/$i; done
RUN echo ${word} && dd if=/dev/zero of=/big bs=1M count=4 2>&1 && rm -rf /context/d1
FROM busybox AS second
ADD some.tar /some
ARG SALT
RUN echo ${word} && cp -r /bin /copy && ln /bin/busybox /hard
FROM busybox
COPY --from=first /many /many
COPY --from=first /big /context /
COPY --from=second --chown=app /copy /copy
ARG SALT
RUN echo ${word} && rm /big && chmod -R go-w /many
COPY . /again
`;
}

describe('kill -9 of the main process', () => {
  test(
    `leaves no process, no mount and no torn file, ${KILLS} times, and the next build is as ever`,
    { timeout: 240_000 },
    async ({ work }) => {
      const word = `word-${path.basename(work.dir)}`;
      const files = Array.from({ length: 150 }, (_, i) => [`d${i % 7}/f${i}`, `${i}`.repeat(i)] as const);
      work.write(Object.fromEntries(files));
      work.write({
        'some.tar': makeTar([
          { path: 'a/b', content: 'b' },
          { path: 'c', type: 'symlink', linkname: 'a' },
        ]),
      });
      work.dockerfile(dockerfile(word));
      const output = [
        '-o',
        'type=image',
        '-o',
        `type=oci,dest=${work.path('out.tar')}`,
        '-o',
        `type=tar,dest=${work.path('tree.tar')}`,
      ];
      const undisturbed = await work.build(output, {}, work.path('undisturbed'));
      const lines = linesOf(undisturbed.stderr);

      const random = generator(SEED);
      let busy = 0;
      for (let i = 0; i < KILLS; i++) {
        const mark = `${word}-${i}`;
        // Some begin anew, some go on where an earlier one was killed.
        const how = random() < 0.6 ? ['--no-cache'] : ['--build-arg', `SALT=${Math.floor(random() * 8)}`];
        const running = work.startBuild([...output, ...how], { env: { [MARK]: mark } });
        // At a random moment by what has been done, not by the clock, so that fast and slow machines are tested alike.
        const after = Math.floor(random() * lines);
        while (running.child.exitCode === null && linesOf(running.output) < after) await sleep(2);
        await sleep(random() * 60);
        if (processesOf(mark, word).length > 1) busy++;
        running.kill('SIGKILL');
        await running.ended;
        expect(await processesLeft(mark, word), `after kill ${i}`).toEqual([]);
        expect(mountsBelow(work.dir)).toEqual([]);
        expect(tornFiles(work.root), `after kill ${i}`).toEqual([]);
        if (i % 10 === 9) expect(await blobFaults(work.root), `after kill ${i}`).toEqual([]);
      }
      // Most do; how many depends on how busy the machine is.
      expect(busy, 'kills that met a worker').toBeGreaterThan(KILLS * 0.3);

      if (process.env['SLIPWAY_TEST_FIGURES']) process.stderr.write(`${busy} of ${KILLS} kills met a worker\n`);
      const after = await work.build([...output, '--no-cache']);
      expect(facts(after)).toEqual(facts(undisturbed));
      expect(await layoutFaults(work.root)).toEqual([]);
      for (const dir of ['tmp', 'work', 'leases']) expect(readdirSync(path.join(work.root, dir)), dir).toEqual([]);
      expect(readdirSync(work.dir).sort()).toEqual(['context', 'out.tar', 'store', 'tree.tar', 'undisturbed']);
    },
  );
});

function linesOf(text: string): number {
  return text.split('\n').length;
}

function facts(built: Built): readonly string[] {
  return built.image.layers.flatMap((layer, i) => layer.map((entry) => `${i} ${describeEntry(entry)}`));
}

/** JSON files of a store that are not whole. */
function tornFiles(root: string): readonly string[] {
  const torn: string[] = [];
  const documents = ['index.json', 'oci-layout', 'store.json'].map((name) => path.join(root, name));
  for (const dir of ['refs', 'records', 'toc'].map((name) => path.join(root, name))) {
    if (!existsSync(dir)) continue;
    const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    documents.push(...entries.map((entry) => path.join(entry.parentPath, entry.name)));
  }
  for (const file of documents.filter((one) => existsSync(one))) {
    const text = readFileSync(file, 'utf8');
    try {
      for (const document of file.endsWith('.jsonl') ? text.trimEnd().split('\n') : [text]) JSON.parse(document);
    } catch {
      torn.push(file);
    }
  }
  return torn;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
