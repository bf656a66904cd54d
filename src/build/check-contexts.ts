import { readFileSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../base/errors.js';
import type { Damage } from '../store/fsck/types.js';
import type { Listing } from '../store/gc/listing.js';
import type { StorePaths } from '../store/paths.js';
import { decodeRecord, isOtherVersion } from '../worker/context/context-record.js';

/** What is remembered of build contexts, and is damaged. */
export function checkContexts(paths: StorePaths, listing: Listing): readonly Damage[] {
  return [...listing.contexts.keys()].flatMap((name): readonly Damage[] => {
    const file = path.join(paths.contexts, name);
    if (isWhole(file)) return [];
    const what = `what was remembered of a build context in \`${path.relative(paths.root, file)}\` cannot be read`;
    return [{ what, images: [], repair: { kind: 'file', path: file }, isStill: () => !isWhole(file) }];
  });
}

/** One that is gone, or that this user may not read, does no harm. */
function isWhole(file: string): boolean {
  try {
    const bytes = readFileSync(file);
    const record = bytes.subarray(bytes.indexOf('\n') + 1);
    return isOtherVersion(record) || decodeRecord(record)?.files() !== undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return true;
    throw error;
  }
}
