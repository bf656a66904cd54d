import zlib from 'node:zlib';

/** What zlib of Node.js does its work with; its streams are made of it, but wait a turn of the event loop for each chunk. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    at: number,
    length: number,
    output: Uint8Array,
    to: number,
    room: number,
  ): void;
  onerror: (message: string, errno: number, code: string) => void;
  close(): void;
}

interface Internals {
  readonly _handle?: Partial<Handle>;
  /** Room left in the output, and bytes left of the input, after the last call. */
  readonly _writeState?: Uint32Array;
}

const { Z_NO_FLUSH, Z_FINISH } = zlib.constants;

/**
 * Undoes gzip in the calling thread, from buffer to buffer, with nothing allocated. Same rules as `zlib.createGunzip`:
 * further members follow on, zeros at the end are ignored, other bytes there are damage.
 */
export class Gunzip {
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  readonly #stream: zlib.Gunzip;
  #failure: Error | undefined;
  #ended = false;

  private constructor(stream: zlib.Gunzip, handle: Handle, state: Uint32Array) {
    this.#stream = stream;
    this.#handle = handle;
    this.#state = state;
    handle.onerror = (message, errno, code) => (this.#failure = Object.assign(new Error(message), { errno, code }));
  }

  /** Undefined where this Node.js does not work so inside: then its streams do the same, slower. */
  static open(): Gunzip | undefined {
    const stream = zlib.createGunzip();
    const { _handle: handle, _writeState: state } = stream as Internals;
    const isKnown = typeof handle?.writeSync === 'function' && 'onerror' in handle && state?.length === 2;
    if (isKnown) return new Gunzip(stream, handle as Handle, state);
    stream.destroy();
    return undefined;
  }

  /**
   * Takes from `input`, and fills `output` from `to` on. Tells how much of both was used: all of the input, unless the
   * output is full or the stream has ended. Throws zlib's errors, which have a `code` that begins with `Z_`.
   */
  write(input: Uint8Array, output: Uint8Array, to: number): { readonly taken: number; readonly made: number } {
    if (this.#ended) return { taken: input.length, made: 0 };
    const { left, room } = this.#call(Z_NO_FLUSH, input, output, to);
    this.#ended = left > 0 && room > 0; // what follows is no member
    return { taken: this.#ended ? input.length : input.length - left, made: output.length - to - room };
  }

  /** To be called after all input, until it makes nothing more. Throws when the stream is cut. */
  end(output: Uint8Array, to: number): number {
    if (this.#ended) return 0;
    return output.length - to - this.#call(Z_FINISH, new Uint8Array(0), output, to).room;
  }

  close(): void {
    this.#stream.destroy();
  }

  #call(
    flush: number,
    input: Uint8Array,
    output: Uint8Array,
    to: number,
  ): { readonly left: number; readonly room: number } {
    this.#handle.writeSync(flush, input, 0, input.length, output, to, output.length - to);
    if (this.#failure) throw this.#failure;
    const [room = 0, left = 0] = this.#state;
    return { left, room };
  }
}
