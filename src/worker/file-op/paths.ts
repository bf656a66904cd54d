import { toText, type ByteString } from '../../base/bytes.js';

export { baseOf, cleanPath, dirOf as parentOf, joinPath } from '../../layer/entry-path.js';

/** As messages name a path: absolute, as text. */
export function shown(path: ByteString): string {
  return `/${toText(path)}`;
}
