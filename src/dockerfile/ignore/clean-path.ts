/** The shortest path that means the same, by text alone; `.` for an empty one. As Go's `filepath.Clean` on Unix. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (!rooted) kept.push(part);
  }
  return rooted ? `/${kept.join('/')}` : kept.join('/') || '.';
}
