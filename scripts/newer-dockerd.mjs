// Makes a folder with a newer Docker engine than this Debian has, for test/support/dockerd.ts:
//   node scripts/newer-dockerd.mjs [FOLDER [SUITE]]     default: NEWER_DOCKERD, unstable
// As root. Nothing is installed: the packages are unpacked, and the tests enter the folder in namespaces of their own.
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianSources } from './bases/debian.mjs';
import { run } from './process.mjs';
import { fail, say } from './say.mjs';

/** Beside the base images; it stays as it was made until it is removed. */
export const NEWER_DOCKERD = '/var/cache/slipway/newer-dockerd';

/** What runs a container, and what puts the folder in the place of `/`. */
const PACKAGES = ['docker.io', 'docker-cli', 'docker-buildx', 'containerd', 'runc', 'mount'];

/** Gives the folder; makes it if it is not there. */
export async function newerDockerd(folder = NEWER_DOCKERD, suite = 'unstable') {
  if (existsSync(folder)) return folder;
  const work = `${folder}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    const sources = path.join(work, 'suite.sources');
    await writeFile(sources, await suiteSources(suite));
    const args = [
      '--mode=root',
      '--variant=extract',
      `--include=${PACKAGES.join(',')}`,
      // Its state may be older than it says it may be: this is a test, and nothing of it is installed.
      '--aptopt=Acquire::Check-Valid-Until "false"',
      suite,
      path.join(work, 'root'),
      sources,
    ];
    say('dockerd', `unpacking Docker of Debian ${suite}`);
    await run('mmdebstrap', args, { env: { ...process.env, LC_ALL: 'C.UTF-8' }, merge: true });
    // A package that is not unpacked has these links.
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, path.join(work, 'root', name));
    await rename(path.join(work, 'root'), folder);
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The archive that this machine's apt uses for Debian, for another suite. */
async function suiteSources(suite) {
  const stanza = (await debianSources()).split('\n\n').find((one) => !/^URIs:.*-security/m.test(one));
  if (!stanza) throw new Error('apt on this machine has no source of Debian itself');
  return stanza.replace(/^Suites:.*$/m, `Suites: ${suite}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, suite] = process.argv.slice(2);
  await newerDockerd(folder && path.resolve(folder), suite)
    .then((made) => process.stdout.write(`${made}\n`))
    .catch(fail);
}
