import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import tls, { type SecureContext } from 'node:tls';
import { BuildError, hasCode } from '../base/errors.js';
import type { HostSettings } from './config.js';

/** Where distributions keep the certificates that the machine trusts; Node.js itself does not look there. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Alpine, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/etc/ssl/cert.pem', // Alpine
];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * What TLS connections trust and show: the CAs that Node.js brings, those of the machine (`SSL_CERT_FILE` or where
 * distributions keep them, `SSL_CERT_DIR`), those of `NODE_EXTRA_CA_CERTS`, and those of a host's settings.
 */
export class Trust {
  readonly #env: NodeJS.ProcessEnv;
  #roots: readonly string[] | undefined;
  #common: SecureContext | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** Throws CONFIG_INVALID for files of the settings that cannot be read or are no certificates. */
  contextFor({ ca, keypairs }: Pick<HostSettings, 'ca' | 'keypairs'>): SecureContext {
    this.#roots ??= machineRoots(this.#env);
    if (ca.length === 0 && keypairs.length === 0) {
      return (this.#common ??= tls.createSecureContext({ ca: [...this.#roots] }));
    }
    const own = ca.flatMap((file) => ownCertificates(file));
    const cert = keypairs.map((pair) => readOwn(pair.cert));
    const key = keypairs.map((pair) => readOwn(pair.key));
    try {
      return tls.createSecureContext({ ca: [...this.#roots, ...own], ...(cert.length > 0 && { cert, key }) });
    } catch (error) {
      const files = keypairs.map((pair) => `\`${pair.cert}\` and \`${pair.key}\``).join(', ');
      throw new BuildError('CONFIG_INVALID', `cannot use the client certificate of ${files}`, {
        hint: 'both must be PEM without a passphrase, and belong together',
        cause: error,
      });
    }
  }
}

function machineRoots(env: NodeJS.ProcessEnv): readonly string[] {
  const named = [env['SSL_CERT_FILE'], env['NODE_EXTRA_CA_CERTS']].filter((file) => file !== undefined && file !== '');
  const bundle = env['SSL_CERT_FILE'] ? [] : BUNDLES;
  const folders = (env['SSL_CERT_DIR'] ?? '').split(':').filter((dir) => dir !== '');
  const files = [...new Set([...named, ...bundle, ...folders.flatMap(filesIn)])] as string[];
  return [...new Set([...tls.rootCertificates, ...files.flatMap((file) => pemBlocks(readIfThere(file)))])];
}

function filesIn(dir: string): string[] {
  try {
    return readdirSync(dir).map((name) => path.join(dir, name));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
    throw error;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR', 'ELOOP')) return '';
    throw error;
  }
}

function pemBlocks(text: string): string[] {
  return text.replaceAll('\r', '').match(CERTIFICATE) ?? [];
}

function ownCertificates(file: string): string[] {
  const blocks = pemBlocks(readOwn(file));
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    throw new BuildError('CONFIG_INVALID', `\`${file}\` holds a damaged certificate`, { cause: error });
  }
  if (blocks.length > 0) return blocks;
  throw new BuildError('CONFIG_INVALID', `\`${file}\` holds no certificate`, {
    hint: '`ca` names PEM files, which have lines `-----BEGIN CERTIFICATE-----`',
  });
}

function readOwn(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw new BuildError('CONFIG_INVALID', `cannot read \`${file}\`, which the settings of registries name`, {
      cause: error,
    });
  }
}
