import type { Cancel } from '../../base/abort.js';
import { canonicalJson, type Json } from '../../base/canonical-json.js';
import { parseIgnoreFile } from '../../dockerfile/ignore/ignore-file.js';
import type { Digest } from '../../oci/digest.js';
import { parseFilter } from '../file-op/path-filter.js';
import { contentDigest, type Selection } from './content-digest.js';
import { ContextMemory } from './context-memory.js';
import { ContextView } from './context-view.js';
import { Spool } from './spool.js';

/** A local directory as an op names it. */
export interface ContextInput {
  readonly name: string;
  readonly dir: string;
  readonly ignore: string;
  readonly digests?: Readonly<Record<string, Digest>>;
}

/** Where it is kept what builds find out about directories. */
export interface ContextFiles {
  read(name: Pick<ContextInput, 'dir' | 'ignore'>): Buffer | undefined;
  write(name: Pick<ContextInput, 'dir' | 'ignore'>, bytes: Uint8Array): Promise<void>;
  remove(name: Pick<ContextInput, 'dir' | 'ignore'>): Promise<void>;
  /** A path that is free, in a folder that goes with the job. */
  tempPath(): string;
}

interface OpenContext {
  readonly input: ContextInput;
  readonly view: ContextView;
  readonly memory: ContextMemory | undefined;
  /** How many selections were known when it was last written down what is known. */
  remembered: number;
}

/** The local directories of a job, each read and hashed once. */
export class ContextViews {
  readonly #files: ContextFiles | undefined;
  readonly #spool: (() => Spool) | undefined;
  readonly #now: () => number;
  readonly #contexts = new Map<string, OpenContext>();

  /** Without `files` nothing is known of earlier builds, and nothing remembered. `now`: milliseconds since 1970. */
  constructor(files?: ContextFiles, now: () => number = Date.now) {
    this.#files = files;
    this.#spool = files && (() => new Spool(files.tempPath()));
    this.#now = now;
  }

  /** Digests that come along say what files must hash to: those of an earlier call count as well. */
  view(input: ContextInput): ContextView {
    const { view } = this.#open(input);
    if (input.digests) view.expect(input.digests);
    return view;
  }

  /** Whether no build has found out anything about a directory that could be of use, though it would be kept. */
  isNew(input: ContextInput): boolean {
    const { memory } = this.#open(input);
    return memory !== undefined && memory.files() === undefined;
  }

  /** `contentDigest` of a directory, without a look at any file's bytes where an earlier build knew them. */
  async contentDigest(input: ContextInput, selection: Selection, opts: Cancel): Promise<Digest> {
    const { view, memory } = this.#open(input);
    if (!memory) return await contentDigest(view, selection, opts);
    const name = canonicalJson(selection as unknown as Json);
    const recalled = memory.recall(name, view);
    if (recalled !== undefined) return recalled;
    const { value, touched } = await view.recording(() => contentDigest(view, selection, opts));
    memory.note(name, touched, value);
    return value;
  }

  /** What is known of the files of a context so far. */
  digests(input: ContextInput): Readonly<Record<string, Digest>> {
    return this.#contexts.get(input.name)?.view.knownDigests() ?? {};
  }

  /** Keeps what was found out for the next build. May be called at any time, and does nothing when there is nothing new. */
  async remember(): Promise<void> {
    for (const context of this.#contexts.values()) {
      const { input, view, memory, remembered } = context;
      if (!memory || memory.noted === remembered) continue;
      context.remembered = memory.noted;
      const bytes = memory.encode(view);
      if (bytes) await this.#files?.write(input, bytes);
    }
  }

  /** What was kept of these contexts goes: a file had other bytes than were known. */
  async forget(): Promise<void> {
    for (const { input } of this.#contexts.values()) await this.#files?.remove(input);
  }

  #open(input: ContextInput): OpenContext {
    let context = this.#contexts.get(input.name);
    if (!context) {
      const ignore = parseFilter('exclude', parseIgnoreFile(input.ignore));
      const memory = this.#files && new ContextMemory(this.#files.read(input));
      const view = new ContextView(input.dir, {
        ignore,
        known: () => memory?.files(),
        spool: this.#spool,
        now: this.#now,
      });
      this.#contexts.set(input.name, (context = { input, view, memory, remembered: -1 }));
    }
    return context;
  }
}
