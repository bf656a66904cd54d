import { expect, test } from 'vitest';
import type { BuildEvent } from '../../job/events.js';
import type { VertexDigest } from '../../llb/types.js';
import { digestOf } from '../../oci/digest.js';
import { rawJsonSink } from './rawjson.js';

const a = digestOf('a') as VertexDigest;
const b = digestOf('b') as VertexDigest;
const AT = Date.parse('2026-01-02T03:04:05.600Z');

function told(...events: readonly BuildEvent[]): readonly unknown[] {
  const written: string[] = [];
  const sink = rawJsonSink((text) => written.push(text));
  for (const event of events) sink.event(event);
  sink.close();
  const lines = written.join('').split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line) as unknown);
}

const queued = (vertex: VertexDigest, inputs: readonly VertexDigest[] = []): BuildEvent => ({
  type: 'vertex-queued',
  vertex,
  name: 'RUN <x>',
  inputs,
  at: AT,
});

test('a vertex is told whole each time', () => {
  expect(
    told(
      queued(a),
      queued(b, [a]),
      { type: 'vertex-started', vertex: b, at: AT },
      { type: 'log', vertex: b, stream: 'stderr', text: 'é\n', at: AT + 5 },
      { type: 'vertex-completed', vertex: b, cached: false, at: AT + 400 },
      { type: 'vertex-completed', vertex: a, cached: true, at: AT + 450 },
    ),
  ).toEqual([
    { vertexes: [{ digest: a, name: 'RUN <x>' }] },
    { vertexes: [{ digest: b, inputs: [a], name: 'RUN <x>' }] },
    { vertexes: [{ digest: b, inputs: [a], name: 'RUN <x>', started: '2026-01-02T03:04:05.6Z' }] },
    { logs: [{ vertex: b, stream: 2, data: 'w6kK', timestamp: '2026-01-02T03:04:05.605Z' }] },
    {
      vertexes: [
        {
          digest: b,
          inputs: [a],
          name: 'RUN <x>',
          started: '2026-01-02T03:04:05.6Z',
          completed: '2026-01-02T03:04:06Z',
        },
      ],
    },
    {
      vertexes: [
        {
          digest: a,
          name: 'RUN <x>',
          started: '2026-01-02T03:04:06.05Z',
          completed: '2026-01-02T03:04:06.05Z',
          cached: true,
        },
      ],
    },
  ]);
});

test('failed and canceled: what never started is not said to be canceled', () => {
  const [, , , failed, ...rest] = told(
    queued(a),
    queued(b),
    { type: 'vertex-started', vertex: a, at: AT },
    { type: 'vertex-failed', vertex: a, code: 'RUN_FAILED', message: 'exit code: 1', at: AT },
    { type: 'vertex-canceled', vertex: b, at: AT },
  );
  expect(failed).toMatchObject({ vertexes: [{ digest: a, error: 'exit code: 1', completed: expect.any(String) }] });
  expect(rest).toEqual([]);
  expect(
    told(queued(a), { type: 'vertex-started', vertex: a, at: AT }, { type: 'vertex-canceled', vertex: a, at: AT }).at(
      -1,
    ),
  ).toMatchObject({ vertexes: [{ digest: a, error: 'context canceled' }] });
});

test('a transfer has a vertex of its own, and is not told of more often than ten times a second', () => {
  const transfer = (current: number, at: number, done = false): BuildEvent => ({
    type: 'transfer',
    item: 'layer',
    current,
    total: 300,
    done,
    at,
  });
  const digest = digestOf('layer');
  const started = '2026-01-02T03:04:05.6Z';
  expect(told(transfer(0, AT), transfer(100, AT + 50), transfer(200, AT + 120), transfer(300, AT + 130, true))).toEqual(
    [
      { vertexes: [{ digest, name: 'layer', started }] },
      { statuses: [{ id: 'layer', vertex: digest, total: 300, current: 0, timestamp: started, started }] },
      {
        statuses: [
          { id: 'layer', vertex: digest, total: 300, current: 200, timestamp: '2026-01-02T03:04:05.72Z', started },
        ],
      },
      {
        statuses: [
          {
            id: 'layer',
            vertex: digest,
            total: 300,
            current: 300,
            timestamp: '2026-01-02T03:04:05.73Z',
            started,
            completed: '2026-01-02T03:04:05.73Z',
          },
        ],
      },
      { vertexes: [{ digest, name: 'layer', started, completed: '2026-01-02T03:04:05.73Z' }] },
    ],
  );
});

test('warnings and notices', () => {
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
  const check: BuildEvent = {
    type: 'check',
    rule: 'StageNameCasing',
    description: 'Stage names should be lowercase',
    url: 'https://example.com',
    detail: "Stage name 'A' should be lowercase",
    range: { startLine: 1, endLine: 2 },
    at: AT,
  };
  interface Status {
    readonly vertexes?: readonly { readonly digest: string }[];
    readonly warnings?: readonly { readonly short: string; readonly detail: readonly string[] }[];
    readonly logs?: readonly { readonly data: string }[];
  }
  const lines = told(check, check, { type: 'notice', level: 'warning', text: 'n', at: AT }) as readonly Status[];
  expect(lines.map((line) => Object.keys(line)[0])).toEqual(['vertexes', 'warnings', 'warnings', 'vertexes', 'logs']);
  const definition = lines[0]!.vertexes![0]!;
  const warning = lines[1]!.warnings![0]!;
  expect(warning).toMatchObject({
    vertex: definition.digest,
    level: 1,
    url: 'https://example.com',
    range: [{ start: { line: 1 }, end: { line: 2 } }],
  });
  expect(text(warning.short)).toBe("StageNameCasing: Stage name 'A' should be lowercase (line 1)");
  expect(warning.detail.map(text)).toEqual(['Stage names should be lowercase']);
  expect(text(lines[4]!.logs![0]!.data)).toBe('warning: n\n');
});
