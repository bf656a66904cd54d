import { expect, test } from 'vitest';
import type { ImageConfig } from '../../oci/image-config.js';
import type { Digest } from '../../oci/digest.js';
import { parseDockerfile } from '../parse.js';
import { convertDockerfile } from '../to-llb/convert.js';
import type { BaseImages, ConvertOptions } from '../to-llb/options.js';
import { checkOptionsFor } from './check-options.js';
import { Checker } from './checker.js';
import { RULES } from './rules.js';

const CONFIG: ImageConfig = {
  architecture: 'arm64',
  os: 'linux',
  config: { Env: ['PATH=/bin', 'NODE_VERSION=20'] },
  rootfs: { type: 'layers', diff_ids: ['sha256:1' as never] },
};
const bases: BaseImages = {
  resolve: async (name) => {
    if (name === 'gone') return undefined;
    const architecture = name === 'arm' ? 'arm64' : 'amd64';
    return {
      source: `docker-image://${name}@sha256:1`,
      digest: 'sha256:1' as Digest,
      config: { ...CONFIG, architecture },
    };
  },
};

/** `Rule:line` of each finding, in order. */
async function found(text: string, options: Partial<ConvertOptions> = {}): Promise<string[]> {
  const checker = new Checker(checkOptionsFor(text, {}));
  const all = { buildPlatform: { os: 'linux', architecture: 'amd64' }, watcher: checker, ...options };
  await convertDockerfile(parseDockerfile(text), all, bases, { signal: new AbortController().signal });
  return checker.warnings.map(({ rule, range }) => `${rule}:${range.startLine}`);
}

const CASES: readonly (readonly [text: string, wanted: readonly string[], options?: Partial<ConvertOptions>])[] = [
  ['FROM scratch AS Base\n', ['StageNameCasing:1']],
  ['FROM scratch AS base\n', []],
  ['FROM scratch as base\n', ['FromAsCasing:1']],
  ['from scratch AS base\n', ['FromAsCasing:1']],
  ['From scratch as base\nADD <<x /\nx\n', ['ConsistentInstructionCasing:1']],
  ['FROM scratch\nENV a=b \\\n\n  c=d\n', ['NoEmptyContinuation:4']],
  ['FROM scratch\nenv a=b\nENV c=d\n', ['ConsistentInstructionCasing:2']],
  ['from scratch\nenv a=b\nENV c=d\n', ['ConsistentInstructionCasing:3']],
  ['FROM scratch AS a\nFROM scratch AS a\n', ['DuplicateStageName:2']],
  ['FROM scratch AS scratch\n', ['ReservedStageName:1']],
  ['FROM scratch\nCMD echo\n', ['JSONArgsRecommended:2']],
  ['FROM scratch\nSHELL ["/bin/sh", "-c"]\nENTRYPOINT echo\n', []],
  ['FROM scratch\nMAINTAINER me\n', ['MaintainerDeprecated:2']],
  ['ARG name\nFROM base${nmae}\n', ['UndefinedArgInFrom:2']],
  ['FROM scratch\nWORKDIR a\nWORKDIR b\n', ['WorkdirRelativePath:2']],
  ['FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n', []],
  ['FROM scratch\nENV a=$b\n', ['UndefinedVar:2']],
  ['FROM base\nARG known\nENV a=$known b=$NODE_VERSION\nRUN echo $anything\n', []],
  ['FROM scratch\nCMD ["a"]\nCMD ["b"]\n', ['MultipleInstructionsDisallowed:2']],
  ['FROM scratch AS a\nCMD ["a"]\nFROM a\nCMD ["b"]\n', []],
  ['FROM scratch\nENV a b\nLABEL c d\n', ['LegacyKeyValueFormat:2', 'LegacyKeyValueFormat:3']],
  ['FROM arm\n', ['InvalidBaseImagePlatform:1']],
  ['FROM base\n', []],
  ['FROM arm\n', [], { platform: { os: 'linux', architecture: 'arm64' } }],
  ['FROM scratch AS a\nCOPY --from=arm /a /b\n', ['InvalidBaseImagePlatform:2']],
  ['FROM --platform=${TARGETPLATFORM} base\n', ['RedundantTargetPlatform:1']],
  ['FROM --platform=${TARGETPLATFORM}${BUILDVARIANT} base\n', []],
  ['FROM scratch\nARG db_password\nENV PASSWORD_FILE=/run/x\n', ['SecretsUsedInArgOrEnv:2']],
  ['ARG tag\nFROM base:$tag\n', ['InvalidDefaultArgInFrom:2'], { buildArgs: { tag: '1' } }],
  ['FROM --platform=linux/amd64 base\n', ['FromPlatformFlagConstDisallowed:1']],
  ['FROM --platform=linux/amd64 base AS base-amd64\n', []],
  ['FROM scratch\nCOPY a/b /\nADD c /\n', ['CopyIgnoredFile:2'], { contextExclude: ['a'] }],
  ['FROM scratch\nCOPY a/b /\n', [], { contextExclude: ['a', '!a/b'] }],
  ['FROM scratch\nCOPY . /\n', [], { contextExclude: ['*.md'] }],
  ['FROM scratch\nCOPY . /\n', ['CopyIgnoredFile:2'], { contextExclude: ['**'] }],
  ['# check=experimental=all\n# about\nFROM scratch AS a\n', ['InvalidDefinitionDescription:3']],
  ['# check=experimental=all;skip=all\n# a does this\nFROM scratch AS a\nMAINTAINER me\n', []],
  ['FROM scratch\nEXPOSE 80/TCP\n', ['ExposeProtoCasing:2']],
  ['FROM scratch\nEXPOSE 80:80\n', ['ExposeInvalidFormat:2']],
];

test.each(CASES.map(([text, wanted, options]) => ({ text, wanted, options })))('$text', async (one) => {
  expect(await found(one.text, one.options)).toEqual(one.wanted);
});

test('every rule is covered above', () => {
  const seen = new Set(CASES.flatMap(([, wanted]) => wanted).map((one) => one.split(':', 1)[0]));
  expect(RULES.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
  expect(RULES).toHaveLength(22);
});

test('the platforms are named', async () => {
  const checker = new Checker(checkOptionsFor('', {}));
  const options = { buildPlatform: { os: 'linux', architecture: 'amd64' }, watcher: checker };
  await convertDockerfile(parseDockerfile('FROM arm'), options, bases, { signal: new AbortController().signal });
  expect(checker.warnings[0]?.detail).toBe(
    'Base image arm was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
  );
});

test('a comment above an instruction is for that instruction only', async () => {
  const text = 'FROM scratch\n# check=skip=JSONArgsRecommended\nCMD a\nENTRYPOINT b\n';
  expect(await found(text)).toEqual(['JSONArgsRecommended:4']);
  expect(await found(text.replace('skip=', 'skip;'))).toEqual(['JSONArgsRecommended:3', 'JSONArgsRecommended:4']);
});

test('only stages that are needed are looked at, or all', async () => {
  const text = 'FROM scratch AS a\nENV b=$c\nFROM scratch\nENV d=$e\n';
  expect(await found(text)).toEqual(['UndefinedVar:4']);
  expect(await found(text, { watchOnly: 'all-stages' })).toEqual(['UndefinedVar:2', 'UndefinedVar:4']);
});

test('of a base that is not there, variables are not known', async () => {
  const text = 'FROM gone AS a\nENV b=$c\nFROM a\nENV d=$e\nWORKDIR f\n';
  await expect(found(text)).rejects.toMatchObject({ code: 'BASE_NOT_FOUND' });
  expect(await found(text, { assumeBases: true })).toEqual(['WorkdirRelativePath:5']);
});

test('what this version cannot do is passed over', async () => {
  const text = 'FROM scratch\nRUN --device=x true\nMAINTAINER me\n';
  await expect(found(text)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  expect(await found(text, { watchOnly: 'all-stages' })).toEqual(['MaintainerDeprecated:3']);
});

test('warnings of instructions above a fault of the file are told', async () => {
  const checker = new Checker(checkOptionsFor('', {}));
  const options = { buildPlatform: { os: 'linux', architecture: 'amd64' }, watcher: checker };
  const text = 'FROM scratch AS A\nMAINTAINER me\nNOPE\nMAINTAINER me\n';
  const { signal } = new AbortController();
  await expect(convertDockerfile(parseDockerfile(text), options, bases, { signal })).rejects.toThrow('line 3');
  expect(checker.warnings.map(({ rule }) => rule)).toEqual(['StageNameCasing', 'MaintainerDeprecated']);
});
