import { expect, test } from 'vitest';
import { OutlineCapture, type Outline } from './outline.js';
import { parseDockerfile } from './parse.js';
import { targetsOf } from './targets.js';
import { convertDockerfile } from './to-llb/convert.js';

async function outline(text: string, target = ''): Promise<Outline> {
  const watcher = new OutlineCapture();
  const options = { buildPlatform: { os: 'linux', architecture: 'amd64' }, watcher, target };
  const bases = { resolve: async () => undefined };
  await convertDockerfile(parseDockerfile(text), options, bases, { signal: new AbortController().signal });
  return watcher.outline();
}

const FILE = `ARG LIB=one
# BASE what it stands on
ARG BASE=\${LIB:+scratch}
ARG UNUSED=2
FROM \${BASE} AS lib
ARG own
RUN --mount=type=secret,id=key,required --mount=type=ssh,id=git ["x"]
FROM scratch AS other
ARG elsewhere
# final what is shipped
FROM scratch AS final
COPY --from=lib / /
RUN --mount=type=secret,target=/a/key ["x"]
`;

test('the arguments, secrets and agents of the target and of what it needs', async () => {
  const { name, description, args, secrets, ssh } = await outline(FILE);
  expect({ name, description }).toEqual({ name: 'final', description: 'what is shipped' });
  expect(args).toEqual([
    { name: 'LIB', description: '', value: 'one', range: { startLine: 1, endLine: 1 } },
    { name: 'BASE', description: 'what it stands on', value: 'scratch', range: { startLine: 3, endLine: 3 } },
    { name: 'own', description: '', value: '', range: { startLine: 6, endLine: 6 } },
  ]);
  expect(secrets.map((one) => [one.name, one.required, one.range.startLine])).toEqual([['key', false, 13]]);
  expect(ssh.map((one) => [one.name, one.required])).toEqual([['git', false]]);
});

test('of another target', async () => {
  const { args, secrets } = await outline(FILE, 'other');
  expect(args.map((one) => one.name)).toEqual(['elsewhere']);
  expect(secrets).toEqual([]);
});

test('the targets, with base and platform as written', () => {
  const targets = targetsOf(parseDockerfile('# a does it\nFROM --platform=$X img:$T AS a\nFROM a\n'));
  expect(targets).toEqual([
    {
      name: 'a',
      description: 'does it',
      isDefault: false,
      base: 'img:$T',
      platform: '$X',
      range: { startLine: 2, endLine: 2 },
    },
    { name: '', description: '', isDefault: true, base: 'a', platform: '', range: { startLine: 3, endLine: 3 } },
  ]);
});
