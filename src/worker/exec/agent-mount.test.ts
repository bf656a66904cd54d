import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { mountAgent } from './agent-mount.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-agent-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const agent = {
  type: 'ssh',
  id: '',
  uid: process.getuid!(),
  gid: process.getgid!(),
  mode: 0o600,
  optional: false,
} as const;

test('what is sent to the socket reaches the agent, and the answer comes back', async () => {
  const target = path.join(dir, 'agent');
  const server = createServer((socket) => socket.on('data', (data) => socket.end(`agent got ${data.toString()}`)));
  await new Promise<void>((resolve) => server.listen(target, resolve));
  const closers: (() => void)[] = [];
  const socket = await mountAgent(agent, { default: target }, dir, closers);
  expect(statSync(socket!).mode & 0o7777).toBe(0o600);
  const client = connect(socket!);
  client.write('hello');
  expect(await text(client)).toBe('agent got hello');
  for (const close of closers) close();
  server.close();
});

test('a missing agent is left out, or refused when it is required', async () => {
  expect(await mountAgent({ ...agent, optional: true }, {}, dir, [])).toBe(undefined);
  await expect(mountAgent(agent, {}, dir, [])).rejects.toThrow('no SSH key "" forwarded from the client');
});
