import type { SecretSource } from '../job/context.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Emit } from '../job/events.js';
import type { ProvenanceOptions } from '../exporter/provenance/options.js';
import type { ProvenancePredicate } from '../exporter/provenance/predicate.js';
import type { ScopedAnnotation } from '../exporter/annotations.js';
import type { Pushed } from '../exporter/push-destinations.js';
import type { OutputSpec } from '../exporter/types.js';
import type { RegistrySettings } from '../registry/config.js';

/** What one build is asked for. Paths are relative to the working directory. */
export interface BuildOptions {
  /**
   * What COPY and ADD read from: a directory, the address of a git repository, an http(s) URL of an archive or of a
   * Dockerfile, `tar://FILE` for an archive, or `-` for either on stdin.
   */
  readonly context: string;
  /** Path of the Dockerfile; default `Dockerfile` in the context, else `dockerfile`. `-` reads stdin. In the context if that is remote. */
  readonly file?: string;
  /** Stage to build; default the last one. */
  readonly target?: string;
  readonly tags?: readonly string[];
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: readonly ScopedAnnotation[];
  /** Registries are asked for every base image, whatever the store has and whatever is remembered. */
  readonly pull?: boolean;
  /** No registry is asked: images come from the store and from layouts. */
  readonly offline?: boolean;
  /** How registries are spoken to, in addition to what `config.toml` says. */
  readonly registries?: RegistrySettings;
  /** `os/architecture[/variant]`; default this machine's. */
  readonly platform?: string;
  readonly noCache?: boolean;
  /** Name to path, `oci-layout://…`, `docker-image://…`, URL or address of a git repository. */
  readonly buildContexts?: Readonly<Record<string, string>>;
  /** Default: the image in the store. */
  readonly outputs?: readonly OutputSpec[];
  /** Directory of the store; default as `storeRoot` has it. */
  readonly root?: string;
  readonly isolation?: string;
  readonly network?: 'default' | 'host' | 'none';
  /** Stages that are run again. */
  readonly noCacheFilter?: readonly string[];
  /** By id, for `RUN --mount=type=secret`; never part of a key, a log, a history or a layer. */
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  /** Paths of ssh agents' sockets by id; `default` is the one without an id. */
  readonly ssh?: Readonly<Record<string, string>>;
  /** What a Dockerfile may ask for beyond the usual: `network.host`. */
  readonly allow?: readonly string[];
  /** Of RUN; the build argument BUILDKIT_SANDBOX_HOSTNAME wins. */
  readonly hostname?: string;
  /** Lines of RUN's /etc/hosts. */
  readonly addHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Bytes of RUN's /dev/shm. */
  readonly shmSize?: number;
  /** Lend RUN the CA certificates that this machine trusts; outside keys, history and layers. */
  readonly trustHostCa?: boolean;
  /** Attestation of where the result comes from; without it, and with `false`, the outputs carry none. */
  readonly provenance?: ProvenanceOptions | false;
  readonly signal: AbortSignal;
  readonly emit?: Emit;
  /** Milliseconds since 1970; default the clock. */
  readonly now?: () => number;
}

export interface BuildResult {
  /** Of the image as it stands in the store, attested or not; absent when no output needed an image. */
  readonly manifestDigest?: string;
  /** Of the image in the form that the last output of an image has. */
  readonly configDigest?: string;
  /**
   * What the last output of an image comes to: a manifest, compressed for example, with its platform; or the index that
   * attests it.
   */
  readonly exported?: Descriptor;
  /** In full, that the outputs were given. */
  readonly names: readonly string[];
  /** Identifies this build; its provenance names it. */
  readonly invocationId: string;
  /** How a RUN was isolated, and how its file systems were made; absent when nothing needed a worker. */
  readonly isolation?: { readonly rung: string; readonly trees: string; readonly reason: string };
  /** Where the result comes from; absent only when `false` was asked for. */
  readonly provenance?: ProvenancePredicate;
  /** Bytes of all layers, uncompressed. */
  readonly size: number;
  readonly layers: readonly { readonly diffId: string; readonly size: number; readonly createdBy: string }[];
  readonly tags: readonly string[];
  /** What came of each output, in their order. */
  readonly outputs: readonly OutputReport[];
  /** What registries have now, by all of them. */
  readonly pushed: readonly Pushed[];
  readonly counts: { readonly cached: number; readonly ran: number };
}

/** What came of one output. */
export interface OutputReport {
  readonly type: OutputSpec['type'];
  /** What was written; `-` is stdout. */
  readonly dest?: string;
  /** Of the image as it left; absent for what is no image. */
  readonly digest?: string;
  /** Of the image as the store lists it; absent when this output did not put it there. */
  readonly stored?: string;
  readonly pushed: readonly Pushed[];
}
