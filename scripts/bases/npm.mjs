import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../process.mjs';

/** Fetches one package (`name@exact-version`) and unpacks it into `folder`. Nothing of the package is executed. */
export async function npmPackage(folder, spec, job) {
  await mkdir(folder, { recursive: true });
  const downloads = path.join(path.dirname(folder), `.download-${path.basename(folder)}`);
  await mkdir(downloads);
  const args = ['pack', spec, '--json', '--ignore-scripts', `--pack-destination=${downloads}`, '--loglevel=error'];
  const [{ filename, size }] = JSON.parse(await run('npm', args, { cwd: downloads, signal: job.signal }));
  job.say(`fetched ${spec}, ${(size / 1e6).toFixed(1)} MB`);
  const archive = path.join(downloads, filename);
  // Owners become ours and the modes stay, whoever runs this and with whatever umask.
  await run('tar', ['-xzpf', archive, '--no-same-owner', '--strip-components=1', '-C', folder], { signal: job.signal });
  await rm(downloads, { recursive: true });
}

/** Lays out Node.js and npm below `folder` as the official images have them below `/usr/local`. */
export async function nodeDistribution(folder, { node, npm }, job) {
  const npmFolder = path.join(folder, 'lib/node_modules/npm');
  await mkdir(path.dirname(npmFolder), { recursive: true });
  await npmPackage(folder, `node-linux-${process.arch}@${node}`, job);
  await npmPackage(npmFolder, `npm@${npm}`, job);
  await rm(path.join(folder, 'package.json')); // of the npm package, not of Node.js
  await keepOnlyOwnHeaders(path.join(folder, 'include/node/openssl/archs'));
  await symlink('node', path.join(folder, 'bin/nodejs'));
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, path.join(folder, 'bin', name));
  }
}

/** OpenSSL's headers come for some forty architectures. The official images keep those of their own, and so save 34 MB. */
async function keepOnlyOwnHeaders(folder) {
  const own = { x64: 'linux-x86_64', arm64: 'linux-aarch64' }[process.arch];
  for (const name of await readdir(folder)) {
    if (name !== own) await rm(path.join(folder, name), { recursive: true });
  }
}
