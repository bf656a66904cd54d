import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, linkSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { hasCode } from '../../base/errors.js';
import { ChrootWorker } from './start.fixture.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Puts this Node.js, what it is linked with, and the hostile program into a root. */
async function addHostile(root: string): Promise<void> {
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const file of libraries.filter((one) => !one.endsWith(':'))) put(realpathSync(file), path.join(root, file));
  put(process.execPath, path.join(root, 'bin/node'));
  await build({
    entryPoints: [path.join(HERE, 'hostile.fixture.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile: path.join(root, 'hostile/main.mjs'),
    logLevel: 'error',
  });
  for (const name of ['koffi', '@koromix']) {
    const from = path.join(HERE, '../../../node_modules', name);
    cpSync(from, path.join(root, 'hostile/node_modules', name), { recursive: true });
  }
}

function put(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if (!hasCode(error, 'EXDEV', 'EPERM')) throw error;
    copyFileSync(from, to);
  }
}

test.skipIf(process.getuid?.() !== 0)('a RUN that wants out finds no way (needs root)', async () => {
  await using worker = await ChrootWorker.start();
  const rootfs = worker.makeRoot();
  await addHostile(rootfs);
  const disk = String(statSync(worker.dir).dev);
  const { stdout, stderr } = await worker.run({ rootfs, args: ['node', '/hostile/main.mjs', disk] });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    chroot: 'EPERM',
    bounding: 0,
    userNamespace: expect.stringContaining('Operation not permitted'),
    mountNamespace: 'EPERM',
    mount: 'EPERM',
    attach: 'EPERM',
    seize: 'EPERM',
    takeDescriptor: 'EPERM',
    readDisk: 'EPERM',
    directories: [],
    up: true,
    proc: [false, []],
    environment: ['PATH'],
    debugger: false,
  });
});
