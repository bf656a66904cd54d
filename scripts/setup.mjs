// Brings this machine to where Slipway can be built, run and tested: npm packages, programs, the bundle.
//   node scripts/setup.mjs [--test]     --test: also what only the tests need
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { NEWER_DOCKERD, newerDockerd } from './newer-dockerd.mjs';
import { run } from './process.mjs';
import { fail, say } from './say.mjs';

const ROOT = path.dirname(import.meta.dirname);

/** What is unpacked and not installed. npm removes it with its own packages, so it is looked for after them. */
const UNPACKED = path.join(ROOT, 'node_modules/.programs');

/**
 * Programs by what needs them, each with the Debian package that brings it. Any of several names will do. `unpack`: its
 * files are put into the project and the machine stays as it is.
 */
const PROGRAMS = {
  start: [
    { names: ['crun', 'runc'], package: 'crun', why: 'runs what a RUN instruction says' },
    { names: ['newuidmap'], package: 'uidmap', why: 'lets ordinary users build' },
    { names: ['mmdebstrap'], package: 'mmdebstrap', why: 'makes base images from Debian packages' },
    { names: ['xz'], package: 'xz-utils', why: 'unpacks .tar.xz' },
    { names: ['bzip2'], package: 'bzip2', why: 'unpacks .tar.bz2' },
    { names: ['zstd'], package: 'zstd', why: 'unpacks zstd layers on Node.js 20' },
  ],
  test: [
    { names: ['skopeo'], package: 'skopeo', why: 'reads images back, as a judge from outside' },
    { names: ['umoci'], package: 'umoci', why: 'unpacks images, as a judge from outside' },
    { names: ['runc'], package: 'runc', why: 'the other OCI runtime: the tests try both' },
    {
      names: ['fuse-overlayfs'],
      package: 'fuse-overlayfs',
      why: 'stacks trees where overlayfs cannot: the tests try both',
    },
    { names: ['busybox'], package: 'busybox-static', why: 'is the root file system of small test images' },
    { names: ['git'], package: 'git', why: 'serves the repositories that tests build from' },
    { names: ['openssl'], package: 'openssl', why: 'makes the certificates of registries in tests' },
    { names: ['buildah'], package: 'buildah', why: 'pulls and pushes images, as a judge from outside' },
    // Its package would start a registry that answers everybody, now and whenever the machine starts.
    { names: ['docker-registry'], package: 'docker-registry', why: 'is the registry of the tests', unpack: true },
    { names: ['podman'], package: 'podman', why: 'takes images, as a container engine' },
    // Its package would start an engine that runs as root, now and whenever the machine starts.
    { names: ['dockerd'], package: 'docker.io', why: 'takes images, as a container engine', unpack: true },
    { names: ['containerd'], package: 'containerd', why: 'is what docker.io runs containers with', unpack: true },
    { names: ['slirp4netns'], package: 'slirp4netns', why: 'connects networks of RUN' },
    { names: ['pasta'], package: 'passt', why: 'the other one that does: the tests try both' },
    { names: ['useradd'], package: 'passwd', why: 'makes the user as whom the rootless tests run' },
  ],
};

/** Sets up what is missing. `programs` is what for: [], ['start'] or ['start', 'test']. */
export async function setup(programs) {
  requireNode();
  const missing = programs.flatMap((need) => PROGRAMS[need]).filter(({ names }) => !names.some(isProgram));
  const staleModules = !modulesAreFresh();
  announce(missing, staleModules, wantsNewerDockerd(programs));
  const installed = missing.filter(({ unpack }) => !unpack);
  if (installed.length > 0) await installPrograms(installed);
  if (staleModules) await installModules();
  await unpackPrograms(programs);
  if (wantsNewerDockerd(programs)) await unpackNewerDockerd();
  await build();
}

function wantsNewerDockerd(programs) {
  return programs.includes('test') && process.getuid() === 0 && !existsSync(NEWER_DOCKERD);
}

/** Debian unstable cannot be installed from on every day. */
async function unpackNewerDockerd() {
  await newerDockerd().catch((error) =>
    say('dockerd', `no newer Docker engine, its tests are skipped: ${error.message}`),
  );
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (process.platform !== 'linux') throw new Error('this needs Linux: base images are made and run here');
  if (major < 20 || (major === 20 && minor < 19))
    throw new Error(`Node.js 20.19 or newer is needed, this is ${process.version}`);
}

function announce(missing, staleModules, wantsEngine) {
  if (missing.length === 0 && !staleModules && !wantsEngine) return;
  const lines = ['This will change the machine:'];
  const list = (programs) => programs.map(({ package: name, why }) => `    ${name.padEnd(16)}${why}`);
  const [installed, unpacked] = [false, true].map((which) => missing.filter(({ unpack = false }) => unpack === which));
  if (installed.length > 0 && process.getuid() === 0)
    lines.push('  Debian packages, installed by apt-get:', ...list(installed));
  if (unpacked.length > 0) lines.push(`  Debian packages, unpacked in ${UNPACKED}:`, ...list(unpacked));
  if (wantsEngine) lines.push(`  Docker of Debian unstable, unpacked in ${NEWER_DOCKERD}`);
  if (staleModules)
    lines.push(`  npm packages, into ${path.join(ROOT, 'node_modules')} (npm ci, without install scripts)`);
  if (lines.length > 1) process.stderr.write(`${lines.join('\n')}\n\n`);
}

function isProgram(name) {
  // Programs of the administrator are often not in an ordinary user's PATH.
  const folders = [
    ...(process.env.PATH ?? '').split(':'),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    path.join(UNPACKED, 'usr/bin'),
    path.join(UNPACKED, 'usr/sbin'),
  ];
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function installPrograms(missing) {
  const names = missing.map(({ package: name }) => name);
  const command = `apt-get install --no-install-recommends ${names.join(' ')}`;
  if (process.getuid() !== 0) {
    throw new Error(`programs are missing; as root, this installs them:\n\n    apt-get update && ${command}\n`);
  }
  if (!isProgram('apt-get'))
    throw new Error(`programs are missing and there is no apt-get here: install ${names.join(', ')}`);
  const updated = !knowsPackages(names);
  if (updated) await aptGet(['update'], 'reading the package lists');
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  try {
    await aptGet(install, `installing ${names.join(', ')}`);
  } catch (error) {
    // Old lists name packages that the archive has replaced since.
    if (updated) throw error;
    await aptGet(['update'], 'reading the package lists anew');
    await aptGet(install, `installing ${names.join(', ')}`);
  }
}

async function unpackPrograms(programs) {
  const missing = programs
    .flatMap((need) => PROGRAMS[need])
    .filter(({ names, unpack }) => unpack && !names.some(isProgram));
  for (const { package: name } of missing) {
    const work = mkdtempSync(path.join(os.tmpdir(), 'slipway-unpack-'));
    mkdirSync(UNPACKED, { recursive: true });
    try {
      if (!knowsPackages([name]) && process.getuid() === 0) await aptGet(['update'], 'reading the package lists');
      await run('apt-get', ['download', name], { cwd: work, merge: true });
      const files = readdirSync(work).map((file) => path.join(work, file));
      for (const file of files) await run('dpkg-deb', ['--extract', file, UNPACKED], { merge: true });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
}

function knowsPackages(names) {
  const result = spawnSync('apt-cache', ['--quiet', 'policy', ...names], { encoding: 'utf8' });
  const candidates = result.stdout?.match(/^ {2}Candidate: (?!\(none\))/gm) ?? [];
  return candidates.length === names.length;
}

async function aptGet(args, doing) {
  say('apt', doing);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  let saidAt = Date.now();
  const onLine = (line) => {
    const size = /^Need to get ([\d.,]+ [kMG]?B)/.exec(line)?.[1];
    if (size) say('apt', `downloading ${size}`);
    else if (/^(Get:|Unpacking|Setting up)/.test(line) && Date.now() - saidAt > 3000) {
      saidAt = Date.now();
      say('apt', line.slice(0, 100));
    }
  };
  await run('apt-get', args, { env, merge: true, onLine });
}

function modulesAreFresh() {
  // npm writes this file last.
  const installed = path.join(ROOT, 'node_modules/.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(path.join(ROOT, 'package-lock.json')).mtimeMs;
}

async function installModules() {
  say('npm', 'installing npm packages');
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    merge: true,
  });
  say('npm', `installed ${readdirSync(path.join(ROOT, 'node_modules')).length} packages and scopes`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setup(process.argv.includes('--test') ? ['start', 'test'] : ['start']).catch(fail);
}
