import type { Converted } from '../dockerfile/to-llb/options.js';
import { parseGitRef } from '../dockerfile/git-ref.js';
import { makePredicate } from '../exporter/provenance/make-predicate.js';
import { DEFAULT_PROVENANCE } from '../exporter/provenance/options.js';
import type { ConfigSource, ProvenancePredicate } from '../exporter/provenance/predicate.js';
import type { JobContext } from '../job/context.js';
import type { Edge, SourceOp } from '../llb/types.js';
import { topological } from '../llb/vertex.js';
import { hostPlatform } from '../oci/platform.js';
import { redact } from '../remote/redact.js';
import type { Sources } from '../worker/ops/source.js';
import type { DockerfileSource } from './contexts.js';
import type { BuildOptions } from './options.js';

interface ProvenanceInput {
  readonly options: BuildOptions;
  readonly converted: Converted;
  readonly file: DockerfileSource;
  /** The main context, when it is not a local directory. */
  readonly context: Edge | undefined;
  readonly sources: Sources;
  readonly job: JobContext;
  readonly startedAt: number;
  readonly invocationId: string;
}

/** What a build that was evaluated can say of itself. */
export async function provenanceOf(input: ProvenanceInput): Promise<ProvenancePredicate> {
  const { options, converted, file, context, sources, job, startedAt, invocationId } = input;
  const pin = async (op: SourceOp): Promise<Record<string, string> | undefined> => {
    const remote = op.identifier.startsWith('git://') ? sources.git : sources.http;
    const pinned = await remote.pin(op, job);
    return pinned && { [pinned.algorithm]: pinned.hex };
  };
  const facts = {
    target: converted.target,
    pin,
    file: { ...file, isLocal: context === undefined || options.file === '-' },
    context: context ? await contextSource(options.context, context, pin) : {},
    args: requestArgs(options, converted),
    builderPlatform: hostPlatform(),
    invocationId,
    startedAt,
    finishedAt: job.now(),
  };
  return await makePredicate(facts, options.provenance || DEFAULT_PROVENANCE);
}

/** The remote context by its address; nothing for what came on stdin. */
async function contextSource(
  address: string,
  edge: Edge,
  pin: (op: SourceOp) => Promise<Record<string, string> | undefined>,
): Promise<Omit<ConfigSource, 'path'>> {
  const op = topological(edge.vertex)[0]!.op;
  const digest = op.kind === 'source' ? await pin(op) : undefined;
  return digest ? { uri: redact(shownAddress(address)), digest } : {};
}

/** As BuildKit writes the address of a repository: `REMOTE#REF:DIRECTORY`. */
function shownAddress(address: string): string {
  const git = parseGitRef(address);
  if (git.kind !== 'git') return address;
  const { remote, ref = '', subDir = '' } = git.ref;
  const directory = subDir.replace(/^\/+|\/+$/g, '');
  if (ref === '' && directory === '') return remote;
  return `${remote}#${ref}${directory === '' ? '' : `:${directory}`}`;
}

/** What was asked for, as buildx tells it BuildKit's Dockerfile frontend. Paths of this machine are no part of it. */
function requestArgs(options: BuildOptions, { epoch, target }: Converted): Readonly<Record<string, string>> {
  const { buildArgs = {}, labels = {}, network, noCache, noCacheFilter = [], addHosts, ulimits, shmSize } = options;
  const args = epoch === undefined ? buildArgs : { SOURCE_DATE_EPOCH: String(epoch), ...buildArgs };
  const prefixed = (prefix: string, values: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}:${name}`, value]));
  return {
    ...prefixed('build-arg', args),
    ...prefixed('label', labels),
    ...prefixed('context', namedContextArgs(options.buildContexts ?? {}, target)),
    ...(options.target !== undefined && { target: options.target }),
    ...((noCache || noCacheFilter.length > 0) && { 'no-cache': noCache ? '' : noCacheFilter.join(',') }),
    ...(network !== undefined && network !== 'default' && { 'force-network-mode': network }),
    ...(options.hostname !== undefined && { hostname: options.hostname }),
    ...(addHosts && { 'add-hosts': addHosts.map(({ host, ip }) => `${host}=${ip}`).join(',') }),
    ...(shmSize !== undefined && { 'shm-size': String(shmSize) }),
    ...(ulimits && { ulimit: ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(',') }),
  };
}

function namedContextArgs(given: Readonly<Record<string, string>>, target: Edge | undefined): Record<string, string> {
  const read = target ? topological(target.vertex).map(({ op }) => (op.kind === 'source' ? op.identifier : '')) : [];
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      if (value.startsWith('oci-layout://')) {
        const found = read.find((identifier) => identifier.startsWith(`oci-layout://${name}@`));
        return [name, found ?? `oci-layout://${name}`];
      }
      if (value.startsWith('docker-image://')) return [name, value];
      const isAddress = /^[a-z][a-z0-9+.-]*:\/\//.test(value) || value.startsWith('git@');
      return [name, isAddress ? redact(value) : `local:${name}`];
    }),
  );
}
