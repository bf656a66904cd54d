import type { TarEntry } from './tar-entry.js';
import { TarParser } from './tar-reader.js';

/** One entry of a tar, and its content. */
export interface TarItem {
  readonly entry: TarEntry;
  /**
   * The bytes of the file, holes filled with zeros; to be read before the next item is asked for, and at most once.
   * What is not read is skipped. A chunk is valid until the next one is asked for.
   */
  content(): AsyncIterable<Buffer>;
}

type Step =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly position: number }
  | { readonly kind: 'end' };

const ZEROS = Buffer.alloc(64 * 1024);

/**
 * The entries of a tar, one after the other, with constant memory. The convenient face of `TarParser`, for archives of
 * few files; where every microsecond counts, push into a `TarParser`. Same rules, same errors.
 */
export async function* readTar(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<TarItem, void, undefined> {
  const steps = stepsOf(source);
  try {
    for (;;) {
      const next = await steps.next();
      if (next.done) return;
      if (next.value.kind !== 'entry') continue;
      const { entry } = next.value;
      yield { entry, content: () => contentOf(entry, steps) };
    }
  } finally {
    await steps.return(); // closes the source when the caller stops early
  }
}

async function* contentOf(
  entry: TarEntry,
  steps: AsyncGenerator<Step, void, undefined>,
): AsyncGenerator<Buffer, void, undefined> {
  let position = 0;
  for (;;) {
    const next = await steps.next();
    if (next.done) return;
    const step = next.value;
    const until = step.kind === 'data' ? step.position : entry.size;
    for (; position < until; position += Math.min(ZEROS.length, until - position)) {
      yield ZEROS.subarray(0, Math.min(ZEROS.length, until - position));
    }
    if (step.kind !== 'data') return;
    yield step.bytes;
    position += step.bytes.length;
  }
}

/** Every chunk's findings are used up before the next chunk is read. */
async function* stepsOf(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Step, void, undefined> {
  let found: Step[] = [];
  const parser = new TarParser({
    entry: (entry) => found.push({ kind: 'entry', entry }),
    data: (bytes, position) => found.push({ kind: 'data', bytes, position }),
    end: () => found.push({ kind: 'end' }),
  });
  for await (const chunk of source) {
    parser.write(chunk);
    yield* found;
    found = [];
  }
  parser.finish();
}
