import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/base/package-root.js';

/**
 * Slipway's image, made as `npm run image` makes it: an archive for `docker load`, with the name `slipway`. `dir` takes it
 * and the store that it is built in. Needs the network, for Debian's and npm's packages.
 */
export async function ownImage(dir: string): Promise<string> {
  const archive = path.join(dir, 'slipway.tar');
  const script = path.join(packageRoot(), 'scripts/image.mjs');
  const output = `type=docker,dest=${archive}`;
  const env = { ...process.env, SLIPWAY_ROOT: path.join(dir, 'store') };
  await promisify(execFile)(process.execPath, [script, '--tag=slipway', '-o', output, '--progress=plain'], {
    env,
    maxBuffer: 1 << 26,
  });
  return archive;
}
