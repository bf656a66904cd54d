import { expect, test } from 'vitest';
import { makeVertex } from '../../llb/vertex.js';
import { digestOf, hexOf } from '../../oci/digest.js';
import { captureGraph } from './capture.js';

const IMAGE = digestOf('image');

test.each([
  [`docker-image://docker.io/library/node:20@${IMAGE}`, 'pkg:docker/node@20?platform=linux%2Farm64'],
  [`docker-image://docker.io/a/b@${IMAGE}`, `pkg:docker/a/b?digest=${IMAGE}&platform=linux%2Farm64`],
  [`docker-image://host:5000/a/b:1@${IMAGE}`, 'pkg:docker/host%3A5000/a/b@1?platform=linux%2Farm64'],
  [`oci-layout://base@${IMAGE}`, `pkg:oci/base?digest=${IMAGE}&platform=linux%2Farm64`],
  [`oci-layout://base::linux/arm64@${IMAGE}`, `pkg:oci/base?digest=${IMAGE}&platform=linux%2Farm64`],
  [`oci-layout://Not A Name@${IMAGE}`, `oci-layout://Not A Name@${IMAGE}`],
])('%s', async (identifier, uri) => {
  const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const vertex = makeVertex({ kind: 'source', identifier, attrs: {} }, [], platform, { name: '' });
  const { images } = await captureGraph({ vertex, output: 0 }, () => Promise.resolve(undefined));
  expect(images).toEqual([{ uri, digest: { sha256: hexOf(IMAGE) } }]);
});
