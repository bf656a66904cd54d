import { expect, test } from 'vitest';
import { parseAnnotation } from '../exporter/annotations.js';
import { parseOutput } from '../exporter/output-spec.js';
import { DEFAULT_PROVENANCE } from '../exporter/provenance/options.js';
import type { BuildOptions } from './options.js';
import { requireExportable } from './require-exportable.js';

interface Asked extends Omit<Partial<BuildOptions>, 'outputs' | 'annotations'> {
  readonly outputs?: readonly string[];
  readonly annotations?: readonly string[];
}

function optionsOf({ outputs, annotations = [], ...more }: Asked): BuildOptions {
  return {
    context: '.',
    signal: new AbortController().signal,
    ...more,
    ...(outputs && { outputs: outputs.map(parseOutput) }),
    annotations: annotations.flatMap(parseAnnotation),
  };
}

const provenance = { ...DEFAULT_PROVENANCE, attached: true };

test.each<[string, Asked]>([
  ['tag is needed when pushing to registry', { outputs: ['type=registry'] }],
  ['tag is needed when pushing to registry', { outputs: ['type=oci,dest=x,name=a', 'type=image,push=true'] }],
  [
    "can't push tagged ref docker.io/host/a:1 by digest",
    { outputs: ['type=registry,name=host/a:1,push-by-digest=true'] },
  ],
  [
    "can't push tagged ref docker.io/host/a:1 by digest",
    { tags: ['host/a:1'], outputs: ['type=registry,push-by-digest=true'] },
  ],
  ['a digest cannot be chosen', { outputs: [`type=registry,name=host/a@sha256:${'0'.repeat(64)}`] }],
  ['an offline build cannot push', { offline: true, tags: ['a'], outputs: ['type=registry'] }],
  ['only one output can be written to stdout', { outputs: ['type=oci,dest=-', 'type=image', '-'] }],
  ['`type=docker` holds none', { provenance, outputs: ['type=docker,dest=x'] }],
  [
    'cannot export attestations with "oci-mediatypes=false"',
    { provenance, outputs: ['type=oci,dest=x,oci-mediatypes=false'] },
  ],
  ['index annotations not supported', { annotations: ['index:a=b'] }],
  ['index annotations not supported', { outputs: ['type=oci,dest=x,annotation-index-descriptor.a=b'] }],
])('%s', (message, asked) => {
  const error = expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) });
  expect(() => requireExportable(optionsOf(asked))).toThrow(error);
});

test.each<[string, Asked]>([
  ['a name that is none', { outputs: ['type=image,name=A B'] }],
  ['a tag that is none', { tags: ['App'] }],
  ['a tag with a digest', { tags: [`app@sha256:${'0'.repeat(64)}`] }],
])('%s is refused', (_name, asked) => {
  const error = expect.objectContaining({ code: 'REFERENCE_INVALID' });
  expect(() => requireExportable(optionsOf(asked))).toThrow(error);
});

test.each<[string, Asked]>([
  ['nothing', {}],
  ['an offline build that stays here', { offline: true, outputs: ['type=image', 'type=oci,dest=x'] }],
  ['a push by digest', { outputs: ['type=registry,name=host/a,push-by-digest=true'] }],
  ['a push of tags', { tags: ['host/a:1', 'host/b'], outputs: ['type=registry'] }],
  ['annotations of an index that there is', { provenance, annotations: ['index:a=b'], outputs: ['type=oci,dest=x'] }],
  ['an index annotation where no image is', { annotations: ['index:a=b'], outputs: ['type=cacheonly', 'out'] }],
  ['provenance that is not attached', { provenance: DEFAULT_PROVENANCE, outputs: ['type=docker,dest=x'] }],
])('%s is fine', (_, asked) => {
  expect(requireExportable(optionsOf(asked))).toBeUndefined();
});
