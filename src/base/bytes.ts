/**
 * A file name or path as the kernel has it: bytes, one character a byte (latin1). Slipway keeps names so from the
 * moment they are read until they are written, because file names need not be UTF-8 and their order is byte order.
 * The comparison operators of JavaScript order such strings as bytes.
 */
export type ByteString = string;

/** Bytes as they come from the kernel or an archive, to a ByteString. */
export function fromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Ordinary text (a Dockerfile, JSON, the command line) to a ByteString. */
export function fromText(text: string): ByteString {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** A ByteString to text for people; bytes that are not UTF-8 become U+FFFD. */
export function toText(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** A ByteString to what the functions of `node:fs` take as a path, keeping every byte. */
export function toFsPath(bytes: ByteString): string | Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** Orders as Go and the kernel do: byte by byte. For use with `sort`. */
export function compareBytes(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}
