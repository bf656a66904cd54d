/** What becomes of a flag of kaniko's executor here. */
export type FlagEffect =
  /** It does what it does with kaniko, or what `meaning` says. */
  | 'mapped'
  /** It is taken, and a note says why it changes nothing. */
  | 'none'
  /** It is an error, which says what to do in its place. */
  | 'refused';

export interface KanikoFlag {
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** Spellings that kaniko has given up and still takes. */
  readonly old?: readonly string[];
  /** `list` may be repeated. */
  readonly takes: 'text' | 'list' | 'boolean';
  readonly effect: FlagEffect;
  /** Mapped: what it does. Without effect or refused: why, and what to do instead. One sentence without a full stop. */
  readonly meaning: string;
}

const NO_SNAPSHOTS = 'what a step changed is known from its own file system: nothing is compared';
const OWN_ROOT = 'steps have a file system of their own: that of the container is never changed';
const STORE_CACHE = 'results are kept in the store and nowhere else: keep its folder from job to job';
const RETRIES = 'a request that may be repeated is sent up to five times, with growing pauses';

/**
 * The flags of kaniko's executor (1.24, and those that its successors have added), each with what it does here. Parsing,
 * `--help` and the table in docs/kaniko.md are made from this.
 */
export const KANIKO_FLAGS = [
  // What is built.
  {
    name: 'context',
    short: 'c',
    takes: 'text',
    effect: 'mapped',
    meaning:
      'directory, `dir://DIR`, `tar://FILE`, `tar://stdin` or `-`, `git://HOST/REPOSITORY[#REF[#COMMIT]]`, `https://…` of an archive (default: /workspace/)',
  },
  {
    name: 'context-sub-path',
    takes: 'text',
    effect: 'mapped',
    meaning: 'directory in the context that is the context; for a directory and for git',
  },
  {
    name: 'bucket',
    short: 'b',
    takes: 'text',
    effect: 'refused',
    meaning: 'buckets are not read: fetch the archive in a step before, and give `--context=tar://FILE`',
  },
  {
    name: 'dockerfile',
    short: 'f',
    takes: 'text',
    effect: 'mapped',
    meaning:
      'path of the Dockerfile: of this machine, or else in the context (default: Dockerfile, also where the command runs)',
  },
  { name: 'target', takes: 'text', effect: 'mapped', meaning: 'stage to build (default: the last)' },
  {
    name: 'build-arg',
    takes: 'list',
    effect: 'mapped',
    meaning: 'value of an ARG, `NAME=VALUE`; a bare NAME takes it from the environment, or is empty',
  },
  { name: 'label', takes: 'list', effect: 'mapped', meaning: 'label of the image, `NAME=VALUE`' },
  { name: 'annotation', takes: 'list', effect: 'mapped', meaning: 'annotation of the manifest, `NAME=VALUE`' },
  {
    name: 'custom-platform',
    old: ['customPlatform'],
    takes: 'text',
    effect: 'mapped',
    meaning: '`os/architecture[/variant]` (default: that of this machine)',
  },
  {
    name: 'secret',
    takes: 'list',
    effect: 'mapped',
    meaning: '`id=ID[,src=FILE|,env=NAME]`, lent to `RUN --mount=type=secret`',
  },
  {
    name: 'git',
    takes: 'list',
    effect: 'mapped',
    meaning:
      'of a context in git: `branch=NAME`, `recurse-submodules=true`; `single-branch` and `depth` change nothing, `insecure-skip-tls=true` is refused',
  },
  {
    name: 'reproducible',
    takes: 'boolean',
    effect: 'mapped',
    meaning:
      'no time in the image is later than 1970: SOURCE_DATE_EPOCH=0, which a build argument or the environment can set',
  },
  // Where it goes.
  {
    name: 'destination',
    short: 'd',
    takes: 'list',
    effect: 'mapped',
    meaning: 'name that the image is pushed to; all at once',
  },
  {
    name: 'no-push',
    takes: 'boolean',
    effect: 'mapped',
    meaning: 'nothing is pushed; the image stays in the store (also: KANIKO_NO_PUSH)',
  },
  {
    name: 'tar-path',
    old: ['tarPath'],
    takes: 'text',
    effect: 'mapped',
    meaning: 'archive to write, as `docker load` reads it; it is an OCI layout too',
  },
  { name: 'oci-layout-path', takes: 'text', effect: 'mapped', meaning: 'directory of an OCI image layout to write' },
  { name: 'digest-file', takes: 'text', effect: 'mapped', meaning: "file to write the image's digest to" },
  {
    name: 'image-name-with-digest-file',
    takes: 'text',
    effect: 'mapped',
    meaning: 'file to write `REPOSITORY@DIGEST` to, a line for each destination',
  },
  {
    name: 'image-name-tag-with-digest-file',
    takes: 'text',
    effect: 'mapped',
    meaning: 'file to write `REPOSITORY:TAG@DIGEST` to, a line for each destination',
  },
  { name: 'compression', takes: 'text', effect: 'mapped', meaning: 'of layers: gzip (default) or zstd' },
  {
    name: 'compression-level',
    takes: 'text',
    effect: 'mapped',
    meaning: '0 to 9, for zstd 0 to 22; -1 is the default: 5, for zstd 3',
  },
  { name: 'push-retry', takes: 'text', effect: 'none', meaning: RETRIES },
  {
    name: 'push-ignore-immutable-tag-errors',
    takes: 'boolean',
    effect: 'mapped',
    meaning: 'a tag that the registry refuses to move, because it moves none, stays what it was, and is noted',
  },
  {
    name: 'skip-push-permission-check',
    takes: 'boolean',
    effect: 'none',
    meaning: 'nothing is asked of the registry before there is something to push',
  },
  // Registries.
  {
    name: 'insecure',
    takes: 'boolean',
    effect: 'mapped',
    meaning: 'what is pushed to may speak plain HTTP, or show a certificate that nothing verifies',
  },
  { name: 'skip-tls-verify', takes: 'boolean', effect: 'mapped', meaning: 'the same, and for what is pulled from too' },
  {
    name: 'insecure-pull',
    takes: 'boolean',
    effect: 'mapped',
    meaning: 'what is pulled from may speak plain HTTP, or show a certificate that nothing verifies',
  },
  { name: 'skip-tls-verify-pull', takes: 'boolean', effect: 'mapped', meaning: 'the same' },
  {
    name: 'insecure-registry',
    takes: 'list',
    effect: 'mapped',
    meaning: 'registry, `HOST[:PORT]`, that may speak plain HTTP, or show a certificate that nothing verifies',
  },
  { name: 'skip-tls-verify-registry', takes: 'list', effect: 'mapped', meaning: 'the same' },
  {
    name: 'registry-certificate',
    takes: 'list',
    effect: 'mapped',
    meaning: '`HOST=FILE`: certificate of an authority that a registry may name, besides those of the machine',
  },
  {
    name: 'registry-client-cert',
    takes: 'list',
    effect: 'mapped',
    meaning: '`HOST=CERTIFICATE,KEY`: files that are shown to a registry',
  },
  {
    name: 'registry-mirror',
    takes: 'list',
    effect: 'mapped',
    meaning: '`HOST[:PORT][/PATH]` that is asked before Docker Hub (also: KANIKO_REGISTRY_MIRROR)',
  },
  {
    name: 'registry-map',
    takes: 'list',
    effect: 'mapped',
    meaning: '`REGISTRY=MIRROR[;…]`: the same for any registry (also: KANIKO_REGISTRY_MAP)',
  },
  {
    name: 'skip-default-registry-fallback',
    takes: 'boolean',
    effect: 'mapped',
    meaning: 'a registry that has mirrors is not asked itself',
  },
  { name: 'image-download-retry', takes: 'text', effect: 'none', meaning: RETRIES },
  { name: 'image-fs-extract-retry', takes: 'text', effect: 'none', meaning: RETRIES },
  {
    name: 'credential-helpers',
    takes: 'list',
    effect: 'none',
    meaning:
      '`config.json` names the helper of a registry, `docker-credential-NAME` on the PATH; the image of Slipway has none',
  },
  // Cache.
  {
    name: 'cache',
    takes: 'boolean',
    effect: 'mapped',
    meaning: 'true is the default: steps that the store has results of are not run; `--cache=false` runs every step',
  },
  {
    name: 'cache-repo',
    takes: 'text',
    effect: 'none',
    meaning: `this version reads no cache from a registry or layout and writes none: ${STORE_CACHE}`,
  },
  {
    name: 'cache-dir',
    takes: 'text',
    effect: 'none',
    meaning: `base images are kept in the store: keep its folder from job to job`,
  },
  { name: 'cache-ttl', takes: 'text', effect: 'none', meaning: 'a result is kept for as long as the store is' },
  { name: 'cache-copy-layers', takes: 'boolean', effect: 'none', meaning: 'the result of every instruction is kept' },
  { name: 'cache-run-layers', takes: 'boolean', effect: 'none', meaning: 'the result of every instruction is kept' },
  { name: 'compressed-caching', takes: 'boolean', effect: 'none', meaning: 'layers lie uncompressed in the store' },
  { name: 'no-push-cache', takes: 'boolean', effect: 'none', meaning: STORE_CACHE },
  // How kaniko works.
  { name: 'snapshot-mode', old: ['snapshotMode'], takes: 'text', effect: 'none', meaning: NO_SNAPSHOTS },
  { name: 'use-new-run', takes: 'boolean', effect: 'none', meaning: NO_SNAPSHOTS },
  {
    name: 'single-snapshot',
    takes: 'boolean',
    effect: 'none',
    meaning: 'the image has the same files, in a layer for each instruction',
  },
  {
    name: 'skip-unused-stages',
    takes: 'boolean',
    effect: 'none',
    meaning: 'stages that the target does not need are never built',
  },
  {
    name: 'ignore-path',
    takes: 'list',
    effect: 'none',
    meaning: `${OWN_ROOT}; what an instruction writes there is in the image`,
  },
  {
    name: 'ignore-var-run',
    old: ['whitelist-var-run'],
    takes: 'boolean',
    effect: 'none',
    meaning: `${OWN_ROOT}; what an instruction writes to /var/run is in the image`,
  },
  {
    name: 'force-build-metadata',
    takes: 'boolean',
    effect: 'none',
    meaning: 'the config always has every instruction',
  },
  { name: 'cleanup', takes: 'boolean', effect: 'none', meaning: OWN_ROOT },
  { name: 'pre-cleanup', takes: 'boolean', effect: 'none', meaning: OWN_ROOT },
  { name: 'preserve-context', takes: 'boolean', effect: 'none', meaning: OWN_ROOT },
  {
    name: 'materialize',
    takes: 'boolean',
    effect: 'refused',
    meaning: `${OWN_ROOT}; \`slipway build -o DIR\` writes the files of the result`,
  },
  { name: 'force', takes: 'boolean', effect: 'none', meaning: 'no container is needed' },
  {
    name: 'kaniko-dir',
    takes: 'text',
    effect: 'mapped',
    meaning: 'credentials are in `DIR/.docker/config.json` (also: KANIKO_DIR; default: /kaniko)',
  },
  // What is said.
  {
    name: 'verbosity',
    short: 'v',
    takes: 'text',
    effect: 'mapped',
    meaning: 'trace, debug, info (default): each step with what it prints; warn, error, fatal, panic: only errors',
  },
  {
    name: 'log-format',
    takes: 'text',
    effect: 'mapped',
    meaning: "text, color (default); json: BuildKit's `rawjson`, a line an event",
  },
  { name: 'log-timestamp', takes: 'boolean', effect: 'none', meaning: 'steps are shown with how long they take' },
  { name: 'help', short: 'h', takes: 'boolean', effect: 'mapped', meaning: 'show this' },
] as const satisfies readonly KanikoFlag[];

export type FlagName = (typeof KANIKO_FLAGS)[number]['name'];
