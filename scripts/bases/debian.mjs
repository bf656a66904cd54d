import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../process.mjs';

const SUITE = 'bookworm';

/** Upper bound of every time stamp in the file system, so that two runs against one state of the archive give the same bytes. */
const SOURCE_DATE_EPOCH = '1767225600';

/** What Debian's own slim images leave out. */
const SLIM = [
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/groff/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/linda/*',
  'path-exclude=/usr/share/lintian/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/man/*',
];

/** Keeps `apt-get install` in an image from leaving downloads, indexes and translations behind, as the official images do. */
const APT = [
  'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };',
  'APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };',
  'Dir::Cache::pkgcache "";',
  'Dir::Cache::srcpkgcache "";',
  'Acquire::GzipIndexes "true";',
  'Acquire::Languages "none";',
  'APT::AutoRemove::SuggestsImportant "false";',
];

/**
 * Makes the tar of a Debian root file system, from the archive that this machine's own apt uses for Debian and from no
 * other source of it. `run` holds shell commands for inside; `extractOnly` unpacks the packages and nothing else, not
 * even a base system. Needs root or subordinate ids.
 */
export async function debian(tar, { packages = [], slim = false, extractOnly = false, run: commands = [] }, job) {
  const folder = `${tar}.d`;
  const sources = path.join(folder, 'debian.sources');
  await mkdir(path.join(folder, 'dev'), { recursive: true });
  const stanzas = await debianSources();
  if (stanzas !== '') await writeFile(sources, stanzas);
  const args = [
    `--mode=${process.getuid() === 0 ? 'root' : 'unshare'}`,
    `--variant=${extractOnly ? 'extract' : 'minbase'}`,
    '--verbose',
    // Device nodes are the runtime's business, and cannot be unpacked without root.
    '--skip=output/dev',
    // As the official images: /bin is a link from the start, so that the package which would make it one, and needs
    // all of Perl for that, is not wanted.
    ...(extractOnly ? [] : ['--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr']),
    ...(packages.length > 0 ? [`--include=${packages.join(',')}`] : []),
    ...(slim ? SLIM.map((option) => `--dpkgopt=${option}`) : []),
    ...(extractOnly ? [] : [...commands, ...finish(slim)].map((command) => `--customize-hook=${command}`)),
    SUITE,
    tar,
    // Without an argument mmdebstrap falls back to Debian's own address.
    ...(stanzas !== '' ? [sources] : []),
  ];
  const watch = new Watch(job.say);
  await run('mmdebstrap', args, {
    env: { ...process.env, SOURCE_DATE_EPOCH, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    signal: job.signal,
    merge: true,
    onLine: (line) => watch.line(line),
  });
  if (!extractOnly) await addDevFolder(tar, folder, job.signal);
  await rm(folder, { recursive: true });
}

/** The option that leaves the device nodes out leaves their folder out too. */
async function addDevFolder(tar, folder, signal) {
  const owner = ['--owner=0', '--group=0', '--mode=755', '--numeric-owner', `--mtime=@${SOURCE_DATE_EPOCH}`];
  await run('tar', ['--append', `--file=${tar}`, ...owner, '-C', folder, './dev'], { signal });
}

/** A command for inside the root file system, in the form in which mmdebstrap takes it: the root is `$1`. */
export function inside(command) {
  return `chroot "$1" sh -ec '${command.replaceAll("'", `'\\''`)}'`;
}

function finish(slim) {
  return [
    `printf '%s\\n' ${APT.map((line) => `'${line}'`).join(' ')} > "$1/etc/apt/apt.conf.d/docker-clean"`,
    ...(slim ? ['mv "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/docker"'] : []),
    // Machine facts and what only this installation needed. The two files are made by every container runtime anew.
    'rm -f "$1"/var/cache/apt/*.bin "$1/etc/resolv.conf" "$1/etc/hostname" "$1"/var/cache/debconf/*-old "$1"/var/log/*.log "$1"/var/log/apt/* "$1"/var/lib/dpkg/*-old',
    ': > "$1/etc/machine-id"',
    'cd "$1/etc/apt/sources.list.d"; if [ -e 0000debian.sources ]; then mv 0000debian.sources debian.sources; fi',
  ];
}

async function aptSources() {
  const folder = '/etc/apt/sources.list.d';
  const names = (await readdir(folder).catch(() => [])).filter((name) => /\.(list|sources)$/.test(name)).sort();
  const files = ['/etc/apt/sources.list', ...names.map((name) => path.join(folder, name))];
  return Promise.all(
    files.map(async (file) => ({ file, text: await readFile(file, 'utf8').catch(() => '') })), // absent or not for us
  );
}

/**
 * Those entries of apt's sources on this machine that are Debian's own archive for the suite, in apt's deb822 form;
 * empty if there are none. A machine may have vendors' sources beside them, which have no place in a base image.
 */
export async function debianSources() {
  const entries = (await aptSources()).flatMap(({ file, text }) =>
    file.endsWith('.sources') ? fromDeb822(text) : fromLines(text),
  );
  const stanzas = entries
    .filter(isDebian)
    .map(({ uris, suites, signedBy }) => [
      'Types: deb',
      `URIs: ${uris.join(' ')}`,
      `Suites: ${suites.filter(isSuite).join(' ')}`,
      'Components: main',
      ...(signedBy ? [`Signed-By: ${signedBy}`] : []),
    ]);
  return stanzas.map((lines) => `${lines.join('\n')}\n`).join('\n');
}

function isDebian({ types, uris, suites, components, signedBy, enabled }) {
  return (
    enabled &&
    types.includes('deb') &&
    components.includes('main') &&
    suites.some(isSuite) &&
    uris.every((uri) => /\/debian(-security)?\/?$/.test(uri)) &&
    (signedBy === undefined || signedBy.includes('debian-archive-'))
  );
}

function isSuite(suite) {
  return [SUITE, `${SUITE}-updates`, `${SUITE}-security`].includes(suite);
}

function fromDeb822(text) {
  return text
    .split(/\n(?:[ \t]*\n)+/)
    .map((stanza) => {
      const fields = new Map();
      for (const line of stanza.split('\n')) {
        const [, name, value] = /^([A-Za-z-]+):\s*(.*?)\s*$/.exec(line) ?? [];
        if (name) fields.set(name.toLowerCase(), value);
      }
      const words = (name) => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
      return {
        types: words('types'),
        uris: words('uris'),
        suites: words('suites'),
        components: words('components'),
        signedBy: fields.get('signed-by'),
        enabled: fields.get('enabled') !== 'no',
      };
    })
    .filter(({ uris }) => uris.length > 0);
}

function fromLines(text) {
  return text.split('\n').flatMap((line) => {
    const [, type, options = '', uri, suite, components] =
      /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line) ?? [];
    if (type === undefined) return [];
    const signedBy = /signed-by=(\S+)/.exec(options)?.[1];
    const words = components.trim().split(/\s+/);
    return [{ types: [type], uris: [uri], suites: [suite], components: words, signedBy, enabled: true }];
  });
}

/** Turns apt's and dpkg's talk into a line now and then. */
class Watch {
  #say;
  #packages = 0;
  #unpacked = 0;
  #configured = 0;
  #saidAt = 0;

  constructor(tell) {
    this.#say = tell;
  }

  line(line) {
    const size = /^Need to get ([\d.,]+ [kMG]B)/.exec(line)?.[1];
    const count = /^\d+ upgraded, (\d+) newly installed/.exec(line)?.[1];
    if (size) this.#say(`downloading ${size} of Debian packages`);
    else if (count) this.#packages += Number(count);
    else if (line.startsWith('I: running apt-get update')) this.#say('reading the package lists');
    else if (line.startsWith('I: creating tarball')) this.#say('packing the root file system');
    else if (line.startsWith('Unpacking ')) this.#step('unpacked', ++this.#unpacked);
    else if (line.startsWith('Setting up ')) this.#step('installed', ++this.#configured);
  }

  #step(what, count) {
    if (count > this.#packages || Date.now() - this.#saidAt < 5000) return;
    this.#saidAt = Date.now();
    this.#say(`${what} ${count} of ${this.#packages} packages`);
  }
}
