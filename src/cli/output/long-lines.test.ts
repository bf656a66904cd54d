import { expect, test } from 'vitest';
import type { BuildEvent } from '../../job/events.js';
import type { VertexDigest } from '../../llb/types.js';
import { LogTail } from './log-tail.js';
import { plainSink } from './plain.js';

const vertex = 'sha256:v' as VertexDigest;
const said = (text: string): BuildEvent => ({ type: 'log', vertex, stream: 'stdout', text, at: 0 });

test('output without line breaks is passed on as it comes, and the time it takes grows with its length only', () => {
  let written = 0;
  const sink = plainSink((text) => (written += text.length));
  const tail = new LogTail();
  tail.event({ type: 'vertex-failed', vertex, code: 'RUN_FAILED', message: '', at: 0 });
  const chunk = 'x'.repeat(64 * 1024);
  const startedAt = Date.now();
  for (let i = 0; i < 400; i++) {
    sink.event(said(chunk));
    tail.event(said(chunk));
  }
  expect(written).toBeGreaterThan(399 * chunk.length);
  expect(tail.text().length).toBeLessThan(10_000);
  expect(Date.now() - startedAt).toBeLessThan(2000);
});
