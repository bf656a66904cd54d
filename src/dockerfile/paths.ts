import { posix } from 'node:path';

/** Paths as Go's `path` package and BuildKit handle them; everything here is text with `/`. */

/** `path.Clean`: like `normalize`, without a trailing slash. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** `path.Join`: cleaned. */
export function joinPath(...parts: readonly string[]): string {
  const filled = parts.filter((part) => part !== '');
  return filled.length === 0 ? '' : cleanPath(filled.join('/'));
}

/**
 * `path` in terms of `parent`. An absolute path stays as written; '' is the parent. With `keepSlash` a trailing `/` or
 * `/.` survives.
 */
export function pathIn(parent: string, path: string, keepSlash: boolean): string {
  const top = parent === '' ? '/' : parent.startsWith('/') ? parent : joinPath('/', parent);
  let result = path === '' ? top : path;
  if (!result.startsWith('/')) result = joinPath(top, result);
  return keepSlash ? withSlashOf(path, result) : result;
}

/** As `pathIn`, cleaned: how LLB writes a path into an action. */
export function actionPath(path: string, keepSlash: boolean): string {
  const clean = cleanPath(path);
  const absolute = clean.startsWith('/') ? clean : joinPath('/', clean);
  return keepSlash ? withSlashOf(path, absolute) : absolute;
}

function withSlashOf(original: string, path: string): string {
  if (original.endsWith('/') && !path.endsWith('/')) return `${path}/`;
  if (original.endsWith('/.')) return path === '/' ? '/.' : `${path}/.`;
  return path;
}

export function hasWildcards(path: string): boolean {
  for (let i = 0; i < path.length; i++) {
    const char = path.charAt(i);
    if (char === '*' || char === '?' || char === '[') return true;
    if (char === '\\') i++;
  }
  return false;
}
