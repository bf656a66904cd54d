import { expect, test } from 'vitest';
import type { Edge, ExecOp } from '../llb/types.js';
import { makeVertex } from '../llb/vertex.js';
import { requireAllowed } from './entitlements.js';
import type { BuildOptions } from './options.js';

const linux = { os: 'linux', architecture: 'amd64' };
const base: BuildOptions = { context: '.', signal: new AbortController().signal };

function target(op: Partial<ExecOp>): Edge {
  const meta = { args: ['x'], env: [], cwd: '/', user: '' };
  const run: ExecOp = { kind: 'exec', meta, mounts: [], network: 'sandbox', security: 'sandbox', ...op };
  const below = { vertex: makeVertex(run, [], linux, { name: 'RUN' }), output: 0 };
  return { vertex: makeVertex({ kind: 'merge' }, [below], linux, { name: 'LINK' }), output: 0 };
}

test('rights that were not given are refused, wherever they are asked for', () => {
  expect(() => requireAllowed(target({ network: 'host' }), base)).toThrow('network.host is not allowed');
  expect(() => requireAllowed(target({ security: 'insecure' }), base)).toThrow('security.insecure is not allowed');
});

test('what is given, or asked for by the caller for all steps, is allowed', () => {
  requireAllowed(target({ network: 'host' }), { ...base, allow: ['network.host'] });
  requireAllowed(target({ network: 'host' }), { ...base, network: 'host' });
  requireAllowed(target({ network: 'none' }), base);
  requireAllowed(undefined, base);
});
