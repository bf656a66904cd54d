import type { ByteString } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import type { RefView, ViewEntry } from '../../layer/ref-view.js';
import { cleanPath, joinPath, parentOf, shown } from './paths.js';

/** BuildKit's bound, which is above the kernel's 40. */
const MAX_LINKS = 255;

/**
 * The path that `path` names once its links are followed inside the root; links that lead out are clamped to it. What
 * does not exist is kept as written, so a dangling link gives the place it points to. `followLast` says whether a link
 * that is the last component is followed.
 */
export function resolveLinks(view: Pick<RefView, 'lstat'>, path: ByteString, followLast = true): ByteString {
  let rest = cleanPath(path).split('/').filter(Boolean);
  let done = '';
  let links = 0;
  let missing = false;
  while (rest.length > 0) {
    const [name, ...after] = rest as [ByteString, ...ByteString[]];
    rest = after;
    if (name === '.') continue;
    if (name === '..') {
      done = parentOf(done);
      missing = false;
      continue;
    }
    const next = joinPath(done, name);
    const entry: ViewEntry | undefined = missing ? undefined : view.lstat(next);
    if (entry?.type === 'symlink' && (followLast || rest.length > 0)) {
      if (links++ >= MAX_LINKS) throw new BuildError('COPY_FAILED', `too many links: \`${shown(cleanPath(path))}\``);
      const target = entry.linkname ?? '';
      const absolute = target.startsWith('/');
      // A relative target is cleaned as text before its links are looked at, as BuildKit does; an absolute one is not.
      const parts = absolute ? target : cleanPath(`${done}/${target}`);
      rest = [...parts.split('/').filter(Boolean), ...rest];
      done = '';
      continue;
    }
    if (entry !== undefined && entry.type !== 'dir' && rest.length > 0) {
      throw new BuildError('COPY_FAILED', `lstat ${shown(joinPath(next, rest[0]!))}: not a directory`);
    }
    missing = entry === undefined;
    done = next;
  }
  return done;
}
