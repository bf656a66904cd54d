import { compareBytes, fromText } from '../../base/bytes.js';
import type { ContainerConfig, HistoryEntry, ImageConfig } from '../../oci/image-config.js';
import { normalizePlatform, type Platform } from '../../oci/platform.js';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const HISTORY_COMMENT = 'buildkit.dockerfile.v0';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The members that BuildKit keeps of a base image's config; others (`Hostname`, `Image`, ...) are dropped. */
const CONFIG_KEYS = [
  ...(['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'Volumes', 'WorkingDir', 'Labels', 'StopSignal'] as const),
  ...(['ArgsEscaped', 'Healthcheck', 'OnBuild', 'Shell'] as const),
] satisfies readonly (keyof ContainerConfig)[];

/** The image config of a stage while its instructions are applied. */
export class ImageDraft {
  os: string;
  architecture: string;
  variant: string | undefined;
  osVersion: string | undefined;
  author: string | undefined;
  config: Mutable<ContainerConfig>;
  readonly #osFeatures: readonly string[] | undefined;
  readonly #diffIds: ImageConfig['rootfs']['diff_ids'];
  readonly #history: HistoryEntry[];

  constructor(image: ImageConfig) {
    this.os = image.os;
    this.architecture = image.architecture;
    this.variant = image.variant;
    this.osVersion = image['os.version'];
    this.author = image.author;
    this.#osFeatures = image['os.features'];
    this.#diffIds = image.rootfs.diff_ids;
    this.#history = [...(image.history ?? [])];
    const picked = CONFIG_KEYS.map((key) => [key, image.config?.[key]] as const);
    this.config = Object.fromEntries(picked.filter(([, value]) => value !== undefined));
  }

  /** What FROM scratch starts from. */
  static empty(platform: Platform): ImageDraft {
    const windows = platform.os === 'windows';
    return new ImageDraft({
      architecture: platform.architecture,
      os: platform.os,
      ...(platform.variant && { variant: platform.variant }),
      ...(platform.osVersion && { 'os.version': platform.osVersion }),
      config: { WorkingDir: '/', ...(windows ? {} : { Env: [`PATH=${DEFAULT_PATH}`] }) },
      rootfs: { type: 'layers', diff_ids: [] },
    });
  }

  /** For a stage that stands on this one: triggers are not inherited. */
  child(): ImageDraft {
    const copy = new ImageDraft(this.finish());
    delete copy.config.OnBuild;
    return copy;
  }

  setEnv(name: string, value: string): void {
    const env = [...(this.config.Env ?? [])];
    const at = env.findIndex((entry) => entry.split('=', 1)[0] === name);
    if (at < 0) env.push(`${name}=${value}`);
    else env[at] = `${name}=${value}`;
    this.config.Env = env;
  }

  /** Adds a history entry for an instruction. */
  record(createdBy: string, entry: { readonly layer: boolean; readonly epoch: number | undefined }): void {
    this.#history.push({
      ...(entry.epoch !== undefined && { created: formatTime(entry.epoch) }),
      created_by: createdBy,
      comment: HISTORY_COMMENT,
      ...(!entry.layer && { empty_layer: true }),
    });
  }

  /** Takes the names of the platform that was asked for, where they say more than the base image did. */
  setPlatform(platform: Platform): void {
    const same = platform.os === this.os && platform.architecture === this.architecture;
    this.os = platform.os;
    this.architecture = platform.architecture;
    if (platform.variant || !same) this.variant = platform.variant;
    if (platform.osVersion || !same) this.osVersion = platform.osVersion;
  }

  normalizePlatform(): void {
    const { os, architecture, variant } = this;
    const normal = normalizePlatform({ os, architecture, ...(variant && { variant }) });
    this.os = normal.os;
    this.architecture = normal.architecture;
    this.variant = normal.variant;
  }

  finish(): ImageConfig {
    return {
      ...(this.author && { author: this.author }),
      architecture: this.architecture,
      os: this.os,
      ...(this.osVersion && { 'os.version': this.osVersion }),
      ...(this.#osFeatures && { 'os.features': this.#osFeatures }),
      ...(this.variant && { variant: this.variant }),
      config: withoutEmpty(this.config),
      rootfs: { type: 'layers', diff_ids: this.#diffIds },
      history: [...this.#history],
    };
  }
}

/** Members that are empty are not written, and names in maps are in order, as Go's encoder does. */
function withoutEmpty(config: ContainerConfig): ContainerConfig {
  const members: [string, unknown][] = [];
  for (const key of CONFIG_KEYS) {
    const value = sorted(key, config[key]);
    if (value !== undefined) members.push([key, value]);
  }
  return Object.fromEntries(members) as ContainerConfig;
}

function sorted(key: keyof ContainerConfig, value: unknown): unknown {
  if (value === undefined || value === '' || value === false) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (typeof value !== 'object' || value === null || key === 'Healthcheck') return value;
  const members = Object.entries(value).sort(([a], [b]) => compareBytes(fromText(a), fromText(b)));
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** RFC 3339 in UTC, without a fraction. */
function formatTime(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
}
