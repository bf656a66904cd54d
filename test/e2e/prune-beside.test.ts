import { expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { test } from '../support/registry-workspace.js';

const ROUNDS = 3;

test(
  'pulls, pushes, loads, copies and builds lose nothing to prunes',
  { timeout: 180_000 },
  async ({ work, bench }) => {
    const registry = await bench.start();
    const name = (tag: string): string => `${registry.host}/app:${tag}`;
    const ok = async (...args: readonly string[]): Promise<string> => (await bench.ok(args)).stdout;
    work.write({
      'common/file': 'common',
      'Dockerfile.base': 'FROM scratch\nCOPY common /common\nCOPY Dockerfile.base /own\n',
    });
    const context = work.context;
    await ok('build', '-q', '-f', `${context}/Dockerfile.base`, '-t', name('base'), '--push', context);
    await ok('pull', '-q', name('base'));
    await ok('save', name('base'), '-o', work.path('base.tar'));
    for (let round = 0; round < ROUNDS; round++) {
      // From nothing: each has to bring or make what the others need too.
      for (const { repository, tag } of await listed()) await ok('rmi', `${repository}:${tag}`);
      await ok('prune', '-f', '-a');
      const other = work.path(`layout-${round}`);
      work.write({ Dockerfile: `FROM ${name('base')}\nCOPY common/file /round-${round}\n` });
      const done = new AbortController();
      const pruning = (async (): Promise<void> => {
        while (!done.signal.aborted) for (const how of [[], ['-a']]) await ok('prune', '-f', ...how);
      })();
      try {
        await Promise.all([
          ok('pull', '-q', name('base')),
          ok('load', '-q', '-i', work.path('base.tar')),
          ok('build', '-q', '-t', name(`built-${round}`), context),
          ok('build', '-q', '-t', name(`pushed-${round}`), '--push', context),
          ok('copy', '-q', `docker://${name('base')}`, 'store:copied'),
          ok('copy', '-q', `docker://${name('base')}`, `oci:${other}:1`),
        ]);
        await ok('tag', name(`built-${round}`), name('tagged'));
        await Promise.all([ok('push', '-q', name('tagged')), ok('rmi', name(`built-${round}`))]);
      } finally {
        done.abort();
        await pruning;
      }
      const names = (await listed()).map(({ repository, tag }) => `${repository}:${tag}`);
      expect(names.toSorted()).toEqual(['copied:latest', name('base'), name('tagged')].toSorted());
      expect(await layoutFaults(work.root)).toEqual([]);
      expect(await layoutFaults(other)).toEqual([]);
      await ok('fsck');
      expect(registry.tagged('app', `pushed-${round}`)).toBeDefined();
      expect(registry.tagged('app', 'tagged')).toBeDefined();
    }

    async function listed(): Promise<readonly { readonly repository: string; readonly tag: string }[]> {
      return JSON.parse(await ok('images', '--format', 'json')) as never;
    }
  },
);
