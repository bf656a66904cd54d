import type { ByteString } from '../../base/bytes.js';
import { toText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { compileGlob } from '../../dockerfile/ignore/glob.js';
import type { RefView } from '../../layer/ref-view.js';
import { cleanPath, joinPath, shown } from './paths.js';
import { resolveLinks } from './resolve-links.js';

/** An unescaped `*`, `?` or `[`. */
export function hasWildcard(path: ByteString): boolean {
  return /^(?:\\.|[^\\*?[])*[*?[]/s.test(path);
}

/** The part of a path before the first component with a wildcard, and the rest; both clean. */
export function splitWildcard(path: ByteString): { readonly fixed: ByteString; readonly pattern: ByteString } {
  const parts = cleanPath(path).split('/');
  const first = parts.findIndex(hasWildcard);
  if (first < 0) return { fixed: parts.join('/'), pattern: '' };
  return { fixed: parts.slice(0, first).join('/'), pattern: parts.slice(first).join('/') };
}

/**
 * The paths that a COPY source names, in the order in which they are copied. A pattern matches as a whole path below
 * its fixed part; what is below a directory that matches is not looked at. Without a wildcard it is the path itself,
 * there or not.
 */
export function expandWildcard(view: RefView, src: ByteString, followLinks: boolean): readonly ByteString[] {
  const { fixed, pattern } = splitWildcard(src);
  if (pattern === '') return [fixed];
  const root = resolveLinks(view, fixed, followLinks);
  if (view.lstat(root) === undefined) {
    throw new BuildError('PATH_NOT_FOUND', `lstat ${shown(root)}: no such file or directory`);
  }
  const found: ByteString[] = [];
  // Only a class (`[^a]`) can match a slash, so that without one the depth is known.
  const depth = pattern.includes('[') ? Infinity : pattern.split('/').length;
  const glob = compileGlob(toText(pattern));
  const walk = (dir: ByteString, relative: ByteString, level: number): void => {
    for (const name of view.list(dir) ?? []) {
      const path = joinPath(dir, name);
      const below = joinPath(relative, name);
      if ((level === depth || depth === Infinity) && glob.matches(below)) {
        found.push(path);
        // The siblings of a file go on, a directory is copied as a whole.
      } else if (level < depth && view.lstat(path)?.type === 'dir') walk(path, below, level + 1);
    }
  };
  walk(root, '', 1);
  return found;
}
