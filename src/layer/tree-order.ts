import type { ByteString } from '../base/bytes.js';

/**
 * Orders paths as a walk of the tree meets them that takes names in byte order: `a`, `a/x`, `a-b`, `a.b`. Comparing
 * whole paths as text would put `a-b` between `a` and `a/x`, since `-` sorts before `/`. For use with `sort`.
 */
export function compareTreeOrder(a: ByteString, b: ByteString): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === SLASH) return -1;
    if (y === SLASH) return 1;
    return x - y;
  }
  return a.length - b.length;
}

const SLASH = 0x2f;
