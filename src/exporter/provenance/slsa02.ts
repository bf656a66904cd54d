import type { BuildConfig, ConfigSource, Material, ProvenancePredicate, RequestParameters } from './predicate.js';

type Metadata = ProvenancePredicate['runDetails']['metadata'];

/** A SLSA 0.2 provenance predicate as BuildKit converts it. */
export interface ProvenancePredicate02 {
  readonly builder: { readonly id: string };
  readonly buildType: string;
  readonly materials?: readonly Material[];
  readonly invocation: {
    readonly configSource: Omit<ConfigSource, 'path'> & { readonly entryPoint?: string };
    readonly parameters: RequestParameters;
    readonly environment: { readonly platform: string };
  };
  readonly buildConfig?: BuildConfig;
  readonly metadata?: object;
}

/** The same in the words of SLSA 0.2. */
export function toSlsa02({ buildDefinition, runDetails }: ProvenancePredicate): ProvenancePredicate02 {
  const { resolvedDependencies, externalParameters, internalParameters } = buildDefinition;
  const { path, ...source } = externalParameters.configSource;
  return {
    builder: runDetails.builder,
    buildType: 'https://mobyproject.org/buildkit@v1',
    ...(resolvedDependencies && { materials: resolvedDependencies }),
    invocation: {
      configSource: { ...source, ...(path !== undefined && { entryPoint: path }) },
      parameters: externalParameters.request,
      environment: { platform: internalParameters.builderPlatform },
    },
    ...(internalParameters.buildConfig && { buildConfig: internalParameters.buildConfig }),
    metadata: metadata02(runDetails.metadata),
  };
}

function metadata02(metadata: Metadata): object {
  const { buildkit_completeness: completeness } = metadata;
  return {
    buildInvocationID: metadata.invocationId,
    buildStartedOn: metadata.startedOn,
    buildFinishedOn: metadata.finishedOn,
    completeness: {
      parameters: completeness.request,
      environment: true,
      materials: completeness.resolvedDependencies,
    },
    reproducible: metadata.buildkit_reproducible ?? false,
    'https://mobyproject.org/buildkit@v1#metadata': metadata.buildkit_metadata,
    ...(metadata.buildkit_hermetic && { 'https://mobyproject.org/buildkit@v1#hermetic': true }),
  };
}
