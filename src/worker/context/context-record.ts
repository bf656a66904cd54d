import { digestOf, type Digest } from '../../oci/digest.js';
import { CONTENT_DIGEST_VERSION } from './content-digest.js';
import type { Extent } from './fingerprint.js';
import { KnownFiles, type KnownFilesWriter } from './known-files.js';

/** Raised when anything is written or compared in another way: what older versions have written is then not used. */
const VERSION = 1;
const OWN_VERSION = `${VERSION}.${CONTENT_DIGEST_VERSION}`;

/** The digest that a selection of files had, and what they looked like then. */
export interface Memo {
  readonly extent: Extent;
  readonly fingerprint: Digest;
  readonly digest: Digest;
}

/** What an earlier build has found out about a directory of this machine. */
export interface ContextRecord {
  /** By selection. */
  readonly memos: ReadonlyMap<string, Memo>;
  /** Read when it is asked for; a damaged one has no files. */
  files(): KnownFiles | undefined;
}

interface Header {
  readonly memos: readonly (readonly [selection: string, Memo])[];
  readonly files: number;
  readonly textBytes: number;
  readonly body: Digest;
}

/**
 * One line with a version and the digest of the next one; one of JSON with what usually suffices; and a table of bytes with the
 * digest of each file.
 */
export function encodeRecord(memos: ReadonlyMap<string, Memo>, writer: KnownFilesWriter): Buffer {
  const { bytes, shape } = writer.finish();
  const header: Header = { memos: [...memos], ...shape, body: digestOf(bytes) };
  const text = JSON.stringify(header);
  return Buffer.concat([Buffer.from(`${firstLine(text)}\n${text}\n`), bytes]);
}

/** Whether it was written by another version, which may be read by that version. */
export function isOtherVersion(bytes: Buffer): boolean {
  const [, version] = /^context (\d+\.\d+) sha256:/.exec(bytes.toString('latin1', 0, 64)) ?? [];
  return version !== undefined && version !== OWN_VERSION;
}

/** Undefined for what is damaged or of another version. */
export function decodeRecord(bytes: Buffer): ContextRecord | undefined {
  const first = bytes.indexOf('\n');
  const second = bytes.indexOf('\n', first + 1);
  if (first < 0 || second < 0) return undefined;
  const text = bytes.toString('utf8', first + 1, second);
  if (bytes.toString('utf8', 0, first) !== firstLine(text)) return undefined;
  const { memos, body, files, textBytes } = JSON.parse(text) as Header; // it is whole: its digest is right
  let known: KnownFiles | undefined | 'unread' = 'unread';
  return {
    memos: new Map(memos),
    files: () => {
      if (known === 'unread') {
        const table = bytes.subarray(second + 1);
        known = digestOf(table) === body ? KnownFiles.decode(table, { files, textBytes }) : undefined;
      }
      return known;
    },
  };
}

function firstLine(header: string): string {
  return `context ${OWN_VERSION} ${digestOf(header)}`;
}
