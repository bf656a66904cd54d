import type { ByteString } from '../../base/bytes.js';
import type { RefView } from '../../layer/ref-view.js';
import { resolveLinks } from '../file-op/resolve-links.js';

const MAX_BYTES = 10 * 1024 * 1024;

/** A file that names users, links followed inside the root; undefined when it is not there. */
export async function readSmallFile(view: RefView, path: ByteString): Promise<Buffer | undefined> {
  return await view.readFile(resolveLinks(view, path), MAX_BYTES);
}
