import { expect, test } from 'vitest';
import { localhostHint } from './localhost-hint.js';
import type { RunSpec } from '../types.js';

const spec = (script: string, env: readonly string[] = []): RunSpec => ({
  rootfs: '/',
  args: ['/bin/sh', '-c', script],
  env,
  cwd: '/',
  user: { uid: 0, gid: 0, additionalGids: [] },
  network: { netns: '/n', resolvConf: '' },
  mounts: [],
});

test.each(['npm i --registry http://localhost:4873', 'curl 127.0.0.1/x', "nc '[::1]' 80", 'curl u@localhost'])(
  '%s names the loopback',
  (script) => {
    expect(localhostHint(spec(script))).toContain('--network=host');
  },
);

test.each(['curl http://localhost.example.test', 'cat my-localhost', 'echo 1127.0.0.1', 'true'])(
  '%s does not',
  (script) => {
    expect(localhostHint(spec(script))).toBeUndefined();
  },
);

test('a proxy that the image names counts, other variables do not; with the network of the machine nothing does', () => {
  expect(localhostHint(spec('make', ['https_proxy=http://127.0.0.1:3128']))).toContain('`127.0.0.1`');
  expect(localhostHint(spec('make', ['HOST=localhost']))).toBeUndefined();
  expect(localhostHint({ ...spec('curl localhost'), network: 'host' })).toBeUndefined();
  expect(localhostHint({ ...spec('curl localhost'), network: 'none' })).toBeUndefined();
});
