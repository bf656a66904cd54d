import * as v from 'valibot';
import type { Cancel } from '../base/abort.js';
import { mediaTypes, type Descriptor } from '../oci/descriptor.js';
import { digestOf, hexOf, isDigest, type Digest } from '../oci/digest.js';
import { parseIndex } from '../oci/documents.js';
import { contentType, fetchDocument } from './download-document.js';
import { putManifest } from './manifests-push.js';
import type { Timing } from './retry.js';
import type { Endpoint } from './repository-endpoint.js';

/** Statuses with which registries say that they have no list of referrers. */
const NO_API = [400, 404, 405, 406, 501];
/** Pages of one answer; a list that goes on for ever ends here. */
const MAX_PAGES = 100;

const referrer = v.object({
  artifactType: v.optional(v.string()),
  config: v.optional(v.object({ mediaType: v.optional(v.string()) })),
  annotations: v.optional(v.record(v.string(), v.string())),
  subject: v.optional(v.object({ digest: v.string() })),
});

type Options = Cancel & { readonly timing: Timing };

/** Manifests whose `subject` is `digest`: from the registry's own list, or from the tag that stands in for one. */
export async function listReferrers(endpoint: Endpoint, digest: Digest, opts: Options): Promise<readonly Descriptor[]> {
  const doing = `listing the referrers of \`${endpoint.reference({ digest })}\``;
  const found: Descriptor[] = [];
  let to: string | undefined = `referrers/${digest}`;
  for (let pages = 0; to !== undefined && pages < MAX_PAGES; pages++) {
    const { status, headers, url, bytes } = await fetchDocument(
      endpoint,
      { to, headers: { accept: mediaTypes.index }, expect: [200, ...NO_API], doing, signal: opts.signal },
      opts.timing,
    );
    if (status !== 200 || contentType(headers) !== mediaTypes.index) {
      return (await readFallback(endpoint, digest, opts)) ?? [];
    }
    found.push(...parseIndex(bytes, `list of referrers of \`${digest}\``).manifests);
    to = nextPage(headers['link'], url);
  }
  return found;
}

function nextPage(link: string | undefined, url: string): string | undefined {
  const next = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
  return next !== undefined && URL.canParse(next, url) ? new URL(next, url).href : undefined;
}

/** Undefined when there is no such tag. */
async function readFallback(
  endpoint: Endpoint,
  subject: Digest,
  { signal, timing }: Options,
): Promise<readonly Descriptor[] | undefined> {
  const tag = fallbackTag(subject);
  const { status, bytes } = await fetchDocument(
    endpoint,
    {
      to: `manifests/${tag}`,
      headers: { accept: mediaTypes.index },
      expect: [200, 404],
      doing: `reading \`${endpoint.reference({ tag })}\``,
      signal,
    },
    timing,
  );
  return status === 200 ? parseIndex(bytes, `index \`${endpoint.reference({ tag })}\``).manifests : undefined;
}

function fallbackTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}`;
}

/**
 * The list of referrers under a tag, for registries that keep none themselves (distribution-spec, "Referrers Tag
 * Schema"). It has no lock: entries made here at once go one after another, those of another process may be lost.
 */
export class FallbackReferrers {
  readonly #timing: Timing;
  #last: Promise<unknown> = Promise.resolve();

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** Whether this manifest belongs in a list. */
  concerns(manifest: Buffer): boolean {
    return describe(manifest).subject !== undefined;
  }

  /** Enters `target`, whose `bytes` are a manifest, if it has a `subject`. */
  async enter(endpoint: Endpoint, target: Descriptor, bytes: Buffer, cancel: Cancel): Promise<void> {
    const { subject, annotations, artifactType } = describe(bytes);
    if (subject === undefined) return;
    const entry: Descriptor = {
      mediaType: target.mediaType,
      digest: target.digest,
      size: target.size,
      ...(artifactType && { artifactType }),
      ...(annotations && { annotations }),
    };
    const entered = this.#last.then(() => this.#enter(endpoint, subject, entry, cancel));
    this.#last = entered.catch(() => undefined); // the one who entered it is told
    await entered;
  }

  async #enter(endpoint: Endpoint, subject: Digest, entry: Descriptor, { signal }: Cancel): Promise<void> {
    signal.throwIfAborted();
    const before = (await readFallback(endpoint, subject, { signal, timing: this.#timing })) ?? [];
    if (before.some((one) => one.digest === entry.digest)) return;
    const list = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [...before, entry] };
    const bytes = Buffer.from(JSON.stringify(list));
    const index = { mediaType: mediaTypes.index, digest: digestOf(bytes), size: bytes.length };
    await putManifest(endpoint, index, bytes, { tag: fallbackTag(subject), signal });
  }
}

/** What a list of referrers tells of a manifest. */
interface Referrer {
  readonly subject?: Digest;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function describe(manifest: Buffer): Referrer {
  const found = v.safeParse(referrer, parseJson(manifest));
  if (!found.success) return {};
  const { subject, config, artifactType = config?.mediaType, annotations } = found.output;
  return {
    ...(subject && isDigest(subject.digest) && { subject: subject.digest }),
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
  };
}

/** Undefined for what is not JSON: the registry says so better when it is put there. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
