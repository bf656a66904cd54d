import type { Descriptor } from '../../oci/descriptor.js';

/** By algorithm, in hexadecimal. */
export type DigestSet = Readonly<Record<string, string>>;

/** SLSA `ResourceDescriptor`: what a build read. */
export interface Material {
  readonly uri: string;
  readonly digest: DigestSet;
}

/** Where the Dockerfile came from: of a local one the name alone. */
export interface ConfigSource {
  readonly uri?: string;
  readonly digest?: DigestSet;
  readonly path?: string;
}

export interface Lent {
  readonly id: string;
  readonly optional?: true;
}

/** What was asked for, in the words of BuildKit's Dockerfile frontend. */
export interface RequestParameters {
  readonly frontend: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly secrets?: readonly Lent[];
  readonly ssh?: readonly Lent[];
  readonly locals?: readonly { readonly name: string }[];
}

/** One vertex; `op` is LLB as BuildKit writes it in JSON. */
export interface BuildStep {
  readonly id: string;
  readonly op: object;
  readonly inputs?: readonly string[];
}

export interface BuildConfig {
  readonly llbDefinition: readonly BuildStep[];
  /** From the digests that progress shows. */
  readonly digestMapping: Readonly<Record<string, string>>;
}

export interface SourceMap {
  readonly locations: Readonly<Record<string, object>>;
  readonly infos: readonly { readonly filename: string; readonly language: string; readonly data: string }[];
}

/** A SLSA 1.0 provenance predicate with BuildKit's members, in its order (`solver/llbsolver/provenance/types`). */
export interface ProvenancePredicate {
  readonly buildDefinition: {
    readonly buildType: string;
    readonly resolvedDependencies?: readonly Material[];
    readonly externalParameters: { readonly configSource: ConfigSource; readonly request: RequestParameters };
    readonly internalParameters: { readonly buildConfig?: BuildConfig; readonly builderPlatform: string };
  };
  readonly runDetails: {
    readonly builder: { readonly id: string };
    readonly metadata: {
      readonly invocationId: string;
      /** RFC 3339. */
      readonly startedOn: string;
      readonly finishedOn: string;
      readonly buildkit_metadata: {
        readonly source?: SourceMap;
        /** Layers of a step's output. */
        readonly layers?: Readonly<Record<string, readonly (readonly Descriptor[])[]>>;
      };
      readonly buildkit_hermetic?: true;
      readonly buildkit_completeness: { readonly request: boolean; readonly resolvedDependencies: boolean };
      readonly buildkit_reproducible?: true;
    };
  };
}

/** The predicate of an image: it says which layers the last step came to, where it says anything of steps. */
export function withLayers(predicate: ProvenancePredicate, layers: readonly Descriptor[]): ProvenancePredicate {
  const { buildDefinition, runDetails } = predicate;
  const result = buildDefinition.internalParameters.buildConfig?.llbDefinition.at(-1)?.inputs?.[0];
  if (result === undefined) return predicate;
  const { metadata } = runDetails;
  const buildkit_metadata = { ...metadata.buildkit_metadata, layers: { [result]: [layers] } };
  return { buildDefinition, runDetails: { ...runDetails, metadata: { ...metadata, buildkit_metadata } } };
}
