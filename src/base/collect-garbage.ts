import v8 from 'node:v8';
import vm from 'node:vm';

let gc: ((options?: { readonly type: 'minor' }) => void) | undefined;

/**
 * Has V8 give back at once what is no longer needed. By itself it lets as much garbage pile up as there is in use, which
 * after work on many small objects is several times what the next work needs. Takes about a millisecond a megabyte in use.
 */
export function collectGarbage(): void {
  exposed()();
}

/**
 * The same for what is new: buffers that have just passed, for example, which lie outside of V8's heap, so that it does not notice how
 * many there are. Takes a fraction of a millisecond.
 */
export function collectNewGarbage(): void {
  exposed()({ type: 'minor' });
}

function exposed(): NonNullable<typeof gc> {
  if (!gc) {
    v8.setFlagsFromString('--expose-gc');
    gc = vm.runInNewContext('gc') as NonNullable<typeof gc>;
    v8.setFlagsFromString('--no-expose-gc');
  }
  return gc;
}
