import { formatRfc3339 } from '../../base/rfc3339.js';
import type { Edge } from '../../llb/types.js';
import { formatPlatform, type Platform } from '../../oci/platform.js';
import { buildConfigOf, sourceMapOf } from './build-config.js';
import { captureGraph, type Capture, type Pin } from './capture.js';
import type { ProvenanceOptions } from './options.js';
import type { ConfigSource, Lent, ProvenancePredicate, RequestParameters } from './predicate.js';

/** What a build knows of itself when it is done. */
export interface ProvenanceFacts {
  readonly target: Edge | undefined;
  readonly pin: Pin;
  /** The Dockerfile; `isLocal` unless it came with a remote context. */
  readonly file: { readonly fileName: string; readonly source: string; readonly isLocal: boolean };
  /** The remote context, where there is one, without credentials. */
  readonly context: Omit<ConfigSource, 'path'>;
  /** What was asked for, in the words of BuildKit's Dockerfile frontend: `build-arg:NAME`, `label:NAME`, `target`, … */
  readonly args: Readonly<Record<string, string>>;
  readonly builderPlatform: Platform;
  readonly invocationId: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly finishedAt: number;
}

const BUILD_TYPE = 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md';

/**
 * The provenance of a build, as BuildKit has it. `mode=min` leaves out build arguments, labels, secrets' ids and the
 * graph; no mode tells the value of a secret, a path of this machine or a password of an address.
 */
export async function makePredicate(facts: ProvenanceFacts, options: ProvenanceOptions): Promise<ProvenancePredicate> {
  const capture = await captureGraph(facts.target, facts.pin);
  const locals = facts.file.isLocal ? [...new Set([...capture.locals, 'dockerfile'])].sort() : capture.locals;
  const { request, complete } = requestOf(facts.args, capture, locals, options.mode);
  const materials = [...capture.images, ...capture.git, ...capture.http];
  const isClosed = locals.length === 0;
  const graph = options.mode === 'max' ? facts.target : undefined;
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      ...(materials.length > 0 && { resolvedDependencies: materials }),
      externalParameters: { configSource: { ...facts.context, path: facts.file.fileName }, request },
      internalParameters: {
        ...(graph && { buildConfig: buildConfigOf(graph) }),
        builderPlatform: formatPlatform(facts.builderPlatform),
      },
    },
    runDetails: {
      builder: { id: options.builderId },
      metadata: {
        invocationId: facts.invocationId,
        startedOn: formatRfc3339(facts.startedAt),
        finishedOn: formatRfc3339(facts.finishedAt),
        buildkit_metadata: { ...(graph && { source: sourceMapOf(graph, facts.file) }) },
        ...(isClosed && !capture.network && { buildkit_hermetic: true }),
        buildkit_completeness: { request: complete, resolvedDependencies: isClosed },
        ...(options.reproducible && { buildkit_reproducible: true }),
      },
    },
  };
}

function requestOf(
  args: Readonly<Record<string, string>>,
  { secrets, ssh }: Capture,
  locals: readonly string[],
  mode: ProvenanceOptions['mode'],
): { readonly request: RequestParameters; readonly complete: boolean } {
  const all = Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = mode === 'max' ? all : all.filter(([name]) => !/^(?:build-arg|label):/.test(name));
  const lent = (name: 'secrets' | 'ssh', ids: readonly Lent[]): object =>
    mode === 'max' && ids.length > 0 ? { [name]: ids } : {};
  const request = {
    frontend: 'dockerfile.v0',
    ...(shown.length > 0 && { args: Object.fromEntries(shown) }),
    ...lent('secrets', secrets),
    ...lent('ssh', ssh),
    ...(locals.length > 0 && { locals: locals.map((name) => ({ name })) }),
  };
  return { request, complete: shown.length === all.length };
}
