import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../base/errors.js';
import type { RunMount } from './types.js';

/** What `--trust-host-ca` adds to a RUN, outside every key, history and layer. */
export interface HostCa {
  readonly mounts: readonly RunMount[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Where the bundle appears. A path of its own, and not the one where the image keeps its certificates: those are
 * replaced by rename (`update-ca-certificates`), which fails on a mount point. /run is no part of an image by custom.
 */
const FOLDER = '/run/slipway';

const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Alpine, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/etc/ssl/cert.pem', // Alpine, macOS
];

/** What the usual clients read: OpenSSL and Go, Node.js, pip, requests, curl, cargo, git. */
const VARIABLES = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'CARGO_HTTP_CAINFO',
  'GIT_SSL_CAINFO',
];

/**
 * Copies the machine's CA bundle (`SSL_CERT_FILE`, or where distributions keep it) into `dir`, with a configuration for
 * apt beside it, which knows no variable for the bundle itself. Undefined when the machine has none.
 */
export function hostCa(env: NodeJS.ProcessEnv, dir: string): HostCa | undefined {
  const bundle = findBundle(env);
  if (bundle === undefined) return undefined;
  const target = `${FOLDER}/host-ca.crt`;
  const aptConfig = `Acquire::https::CaInfo "${target}";\n`;
  // copies that everybody may read, as RUN may have any user
  writeFileSync(path.join(dir, 'host-ca.crt'), bundle, { mode: 0o644 });
  writeFileSync(path.join(dir, 'apt.conf'), aptConfig, { mode: 0o644 });
  return {
    mounts: ['host-ca.crt', 'apt.conf'].map((name) => ({
      type: 'bind',
      source: path.join(dir, name),
      target: `${FOLDER}/${name}`,
      readonly: true,
    })),
    env: { ...Object.fromEntries(VARIABLES.map((name) => [name, target])), APT_CONFIG: `${FOLDER}/apt.conf` },
  };
}

/** `env` with the variables added that it does not set itself. */
export function withHostCa(env: readonly string[], ca: HostCa): readonly string[] {
  const set = new Set(env.map((pair) => pair.split('=', 1)[0]));
  const added = Object.entries(ca.env).filter(([name]) => !set.has(name));
  return [...env, ...added.map(([name, value]) => `${name}=${value}`)];
}

function findBundle(env: NodeJS.ProcessEnv): Buffer | undefined {
  const own = env['SSL_CERT_FILE'];
  for (const file of own === undefined || own === '' ? BUNDLES : [own, ...BUNDLES]) {
    try {
      return readFileSync(file);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error;
    }
  }
  return undefined;
}
