/** What the regular expression of a pattern without brackets is made of; any other string stands for itself. */
const UNIT = /\(\.\*\/\)\?|\.\*|\[\^\/\]\*|\[\^\/\]|\\[^A-Za-z0-9]|[^[\]\\^$(){}|*?+.]/gsu;

/**
 * Matches as `regex`, which `analyzePattern` wrote, but never tries a place twice: a regular expression with many
 * wild cards takes for ever to find that a long path does not match. Undefined for a pattern with brackets.
 */
export function compileUnits(regex: string): ((path: string) => boolean) | undefined {
  const body = regex.slice(1, -1);
  const units = body.match(UNIT) ?? [];
  if (units.join('') !== body) return undefined;
  return (path) => matchUnits(units, Array.from(path));
}

function matchUnits(units: readonly string[], path: readonly string[]): boolean {
  const width = units.length + 1;
  const tried = new Set<number>();
  const open = [0]; // place and unit as one number
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (tried.has(state)) continue;
    tried.add(state);
    const unit = units[state % width];
    const char = path[Math.floor(state / width)];
    if (unit === undefined) {
      if (char === undefined) return true;
      continue;
    }
    if (unit === '(.*/)?' || unit === '.*' || unit === '[^/]*') open.push(state + 1);
    if (char === undefined) continue;
    if (unit === '(.*/)?') {
      for (let at = Math.floor(state / width); at < path.length && path[at] !== '\n'; at++) {
        if (path[at] === '/') open.push((at + 1) * width + (state % width) + 1);
      }
    } else if (unit === '.*') {
      if (char !== '\n') open.push(state + width);
    } else if (unit === '[^/]*') {
      if (char !== '/') open.push(state + width);
    } else if (unit === '[^/]' ? char !== '/' : char === unit.replace(/^\\/, '')) open.push(state + width + 1);
  }
  return false;
}
