import { expect, test } from 'vitest';
import { parseOutput } from './output-spec.js';
import type { OutputSpec } from './types.js';

const FORM = {
  names: [],
  mediaTypes: 'oci',
  ociArtifact: true,
  compression: 'gzip',
  compressionLevel: 5,
  forceCompression: false,
  rewriteTimestamp: false,
  annotations: [],
};
const FILES = { platformSplit: false, attestationPrefix: '' };
const IMAGE = {
  type: 'image',
  ...FORM,
  push: false,
  pushByDigest: false,
  insecure: false,
  store: true,
  canonicalName: false,
};

test.each<[string, object]>([
  ['-', { type: 'tar', dest: '-', ...FILES }],
  ['out', { type: 'local', dest: 'out', mode: 'copy', ...FILES }],
  ['type=local,dest=out,mode=delete', { type: 'local', dest: 'out', mode: 'delete', ...FILES }],
  ['type=tar,dest=-,platform-split=false', { type: 'tar', dest: '-', ...FILES }],
  [
    'type=tar,dest=x,platform-split=true,attestation-prefix=a-',
    { type: 'tar', dest: 'x', platformSplit: true, attestationPrefix: 'a-' },
  ],
  ['type=cacheonly', { type: 'cacheonly' }],
  ['type=image', IMAGE],
  ['type=image,unpack=true,push=true', { ...IMAGE, push: true }],
  ['type=registry', { ...IMAGE, push: true, store: false }],
  ['type=registry,unpack=false,store=true', { ...IMAGE, push: true }],
  [
    'type=image,"name=a,b:1",push=1,push-by-digest=T,registry.insecure=TRUE,name-canonical=true,dangling-name-prefix=x',
    {
      ...IMAGE,
      names: ['a', 'b:1'],
      push: true,
      pushByDigest: true,
      insecure: true,
      canonicalName: true,
      danglingNamePrefix: 'x',
    },
  ],
  ['type=docker', { type: 'engine', ...FORM }],
  ['type=docker,dest=x.tar', { type: 'docker', dest: 'x.tar', tar: true, ...FORM }],
  [
    'TYPE=oci,Dest=x,tar=false,compression=zstd,compression-level=22,force-compression=true,rewrite-timestamp=1',
    {
      type: 'oci',
      dest: 'x',
      tar: false,
      ...FORM,
      compression: 'zstd',
      compressionLevel: 22,
      forceCompression: true,
      rewriteTimestamp: true,
    },
  ],
  [
    'type=oci,dest=x,compression=zstd',
    { type: 'oci', dest: 'x', tar: true, ...FORM, compression: 'zstd', compressionLevel: 3 },
  ],
  [
    'type=oci,dest=x,oci-mediatypes=false',
    { type: 'oci', dest: 'x', tar: true, ...FORM, mediaTypes: 'docker', ociArtifact: false },
  ],
  ['type=image,oci-artifact=false', { ...IMAGE, ociArtifact: false }],
  [
    'type=image,annotation.a.b=c=d,annotation-manifest-descriptor[linux/arm64].X=y,annotation-index.k=',
    {
      ...IMAGE,
      annotations: [
        { level: 'manifest', key: 'a.b', value: 'c=d' },
        { level: 'manifest-descriptor', platform: 'linux/arm64', key: 'X', value: 'y' },
        { level: 'index', key: 'k', value: '' },
      ],
    },
  ],
])('%s', (text, spec) => {
  expect(parseOutput(text)).toEqual(spec as OutputSpec);
});

test.each([
  ['', 'USAGE', 'an output is named by nothing'],
  ['type=imgae', 'USAGE', 'unknown type `imgae`'],
  ['dest=x,push=true', 'USAGE', '`type=` is missing'],
  ['type=oci', 'USAGE', '`type=oci` needs `dest=`'],
  ['type=docker,tar=false', 'USAGE', '`type=docker` needs `dest=`'],
  ['type=local', 'USAGE', '`type=local` needs `dest=`'],
  ['type=local,dest=-', 'USAGE', 'a directory cannot be written to stdout'],
  ['type=oci,tar=false,dest=-', 'USAGE', 'a directory cannot be written to stdout'],
  ['type=tar', 'USAGE', '`type=tar` needs `dest=`'],
  ['type=local,dest=x,mode=move', 'USAGE', '`mode` cannot be `move`'],
  ['type=image,pusj=true', 'USAGE', '`type=image` has no option `pusj`'],
  ['type=cacheonly,name=x', 'USAGE', '`type=cacheonly` has no option `name`'],
  ['type=local,dest=x,annotation.a=b', 'USAGE', 'has no option `annotation.a`'],
  ['type=image,push=maybe', 'USAGE', '`push` must be `true` or `false`, not `maybe`'],
  ['type=oci,dest=x,compression=lzma', 'USAGE', '`compression` cannot be `lzma`'],
  ['type=oci,dest=x,compression-level=10', 'USAGE', '`compression-level` must be 0 to 9, not `10`'],
  ['type=oci,dest=x,compression=zstd,compression-level=23', 'USAGE', 'must be 0 to 22'],
  ['type=image,oci-artifact=true,oci-mediatypes=false', 'USAGE', '"oci-artifact=true" conflicts with'],
  ['type=image,annotation-layer.a=b', 'USAGE', '`layer` is none of'],
  ['type=image,annotation-index[a/b/c/d].a=b', 'USAGE', 'cannot parse platform specifier'],
  ['type=oci,dest=x,compression=estargz', 'UNSUPPORTED', 'compression `estargz`'],
  ['type=image,prefer-nondist-layers=true', 'UNSUPPORTED', '`prefer-nondist-layers`'],
  ['type=local,dest=x,platform-split=x', 'USAGE', '`platform-split` must be `true` or `false`'],
  ['type=image,platform-split=true', 'USAGE', 'has no option `platform-split`'],
  ['type=tar,dest=x,attestation-prefix=../x', 'USAGE', 'not a path'],
  ['type=image,x', 'USAGE', '`x` is not `key=value`'],
  ['type=image,"name=a', 'USAGE', 'extraneous or missing " in quoted-field'],
])('%s is refused', (text, code, message) => {
  expect(() => parseOutput(text)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});
