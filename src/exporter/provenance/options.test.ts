import { expect, test } from 'vitest';
import { DEFAULT_PROVENANCE, parseAttestations, type AttestFlag } from './options.js';

const provenance = (value: string): AttestFlag => ({ flag: 'provenance', value });
const attest = (value: string): AttestFlag => ({ flag: 'attest', value });
const asked = { ...DEFAULT_PROVENANCE, mode: 'max', attached: true };

test.each<[string, readonly AttestFlag[], unknown]>([
  ['nothing', [], undefined],
  ['true', [provenance('true')], asked],
  ['false', [provenance('false')], false],
  ['0', [provenance('0')], false],
  ['a mode', [provenance('mode=min')], { ...asked, mode: 'min' }],
  ['the old name of a mode', [provenance('mode=full')], asked],
  ['a version', [provenance('mode=max,version=v0.2')], { ...asked, version: 'v0.2' }],
  ['a builder', [provenance('builder-id=https://ci.example/1')], { ...asked, builderId: 'https://ci.example/1' }],
  ['not attached', [provenance('mode=min,inline-only=true')], { ...asked, mode: 'min', attached: false }],
  [
    'reproducible',
    [provenance('reproducible=true,filename=p.json')],
    { ...asked, reproducible: true, filename: 'p.json' },
  ],
  ['attest', [attest('type=provenance,mode=min')], { ...asked, mode: 'min' }],
  ['attest, disabled', [attest('type=provenance,disabled=true')], false],
  ['an SBOM that is not wanted', [{ flag: 'sbom', value: 'false' }, attest('type=sbom,disabled=true')], undefined],
])('provenance that is asked for: %s', (_, flags, expected) => {
  expect(parseAttestations(flags)).toEqual(expected);
});

test.each<[readonly AttestFlag[], string]>([
  [[provenance('mode=most')], 'invalid mode `most`'],
  [[provenance('version=v2')], 'invalid version `v2`'],
  [[provenance('modes=max')], 'provenance has no option `modes`'],
  [[provenance('max')], '`max` is not `key=value`'],
  [[provenance('filename=../x')], 'without a directory'],
  [[provenance('reproducible=perhaps')], 'neither `true` nor `false`'],
  [[attest('mode=max')], '`type=` is missing'],
  [[attest('type=signature')], 'unknown attestation type `signature`'],
  [[attest('type=provenance'), provenance('false')], 'asked for before'],
])('faulty: %j', (flags, message) => {
  expect(() => parseAttestations(flags)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  expect(() => parseAttestations(flags)).toThrow(message);
});

test.each<AttestFlag>([{ flag: 'sbom', value: 'true' }, { flag: 'sbom', value: 'generator=x' }, attest('type=sbom')])(
  'an SBOM is refused: %j',
  (flag) => {
    expect(() => parseAttestations([flag])).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  },
);
