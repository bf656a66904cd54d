/** Closer than this many edits counts as a typing error. */
const MAX_DISTANCE = 3;

/**
 * The option nearest to `value`, if it is near enough; undefined too when `value` is itself an option. Without
 * `caseSensitive` the answer takes the case of `value`.
 */
export function suggestion(value: string, options: readonly string[], caseSensitive: boolean): string | undefined {
  const fold = (text: string): string => (caseSensitive ? text : text.toLowerCase());
  const wanted = fold(value);
  let best: string | undefined;
  let bestDistance = MAX_DISTANCE;
  for (const option of options) {
    const candidate = fold(option);
    if (candidate === wanted) return undefined;
    const distance = levenshtein(wanted, candidate);
    if (distance < bestDistance) {
      best = caseSensitive ? option : withCaseOf(value, candidate);
      bestDistance = distance;
    }
  }
  return best === '' ? undefined : best;
}

/** `message`, followed by ` (did you mean x?)` when an option is near. */
export function withSuggestion(
  message: string,
  value: string,
  options: readonly string[],
  caseSensitive: boolean,
): string {
  const match = suggestion(value, options, caseSensitive);
  return match === undefined ? message : `${message} (did you mean ${match}?)`;
}

function withCaseOf(original: string, text: string): string {
  if (original === original.toLowerCase()) return text.toLowerCase();
  if (original === original.toUpperCase()) return text.toUpperCase();
  return text;
}

function levenshtein(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  let previous = right.map((_, j) => j + 1);
  previous.unshift(0);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const replace = previous[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      row.push(Math.min(replace, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[right.length]!;
}
