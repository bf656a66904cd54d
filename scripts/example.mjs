import { existsSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const HOST_CA = '/etc/ssl/certs/ca-certificates.crt';

export const SLIPWAY = path.join(ROOT, 'bin/slipway');
export const EXAMPLE = path.join(ROOT, 'examples/node');

/** The two images of the example. The order is that of the comparison: before, after. */
export const EXAMPLE_IMAGES = [
  { tag: 'example-node:single', dockerfile: 'Dockerfile.single' },
  { tag: 'example-node:multi', dockerfile: 'Dockerfile' },
];

export const EXAMPLE_BASES = ['node:20', 'node:20-slim'];

/** The arguments of `slipway` that build one of the example's images on bases that lie in these layouts. */
export function exampleBuild({ tag, dockerfile }, layouts) {
  const contexts = [...layouts].map(([name, layout]) => `--build-context=${name}=oci-layout://${layout}`);
  return ['build', `--file=${path.join(EXAMPLE, dockerfile)}`, `--tag=${tag}`, ...contexts, ...trustFlags(), EXAMPLE];
}

/** Where the network is seen through a proxy with its own certificate authority, npm inside a build must know it. */
export function trustFlags() {
  return existsSync(HOST_CA) ? ['--trust-host-ca'] : [];
}
