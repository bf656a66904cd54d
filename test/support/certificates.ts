import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A certificate and its private key, as PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  /** The authority that no machine trusts of itself. */
  readonly ca: KeyPair;
  /** For 127.0.0.1, localhost and `registry.test`, a name that nobody can look up. */
  readonly server: KeyPair;
  /** For a client that a server asks who it is. */
  readonly client: KeyPair;
}

/** Makes an authority of its own with certificates for a server and a client, in `dir`, which is made. */
export function makeCertificates(dir: string): Certificates {
  mkdirSync(dir, { recursive: true });
  const ca = makeSelfSigned(dir, 'ca', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']);
  const leaf = ['basicConstraints=CA:FALSE', 'keyUsage=critical,digitalSignature'];
  const server = [
    ...leaf,
    'extendedKeyUsage=serverAuth',
    'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:registry.test',
  ];
  return {
    ca,
    server: make(dir, 'server', server, ca),
    client: make(dir, 'client', [...leaf, 'extendedKeyUsage=clientAuth'], ca),
  };
}

/** A certificate that vouches for itself, as a registry takes it to check tokens with. */
export function makeSelfSigned(dir: string, name: string, extensions: readonly string[] = []): KeyPair {
  mkdirSync(dir, { recursive: true });
  return make(dir, name, extensions, undefined);
}

function make(dir: string, name: string, extensions: readonly string[], issuer: KeyPair | undefined): KeyPair {
  const pair = { cert: path.join(dir, `${name}.pem`), key: path.join(dir, `${name}.key`) };
  // Without a file of its own, openssl adds what the machine's configuration says.
  const config = path.join(dir, `${name}.cnf`);
  writeFileSync(config, '[req]\ndistinguished_name = dn\n[dn]\n');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const signing = issuer ? ['-CA', issuer.cert, '-CAkey', issuer.key] : [];
  const files = ['-config', config, '-keyout', pair.key, '-out', pair.cert];
  const subject = ['-subj', `/CN=slipway test ${name}`, '-days', '2'];
  const added = extensions.flatMap((one) => ['-addext', one]);
  execFileSync('openssl', ['req', '-x509', ...curve, ...signing, ...files, ...subject, ...added], { stdio: 'pipe' });
  return pair;
}
