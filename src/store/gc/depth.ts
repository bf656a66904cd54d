/**
 * How many things stand below each, at most: 0 for what stands on nothing. Asked of the same things, it answers at once. What
 * leads to itself, which only damage can make, ends there.
 */
export function depthBy(below: (id: string) => readonly string[]): (id: string) => number {
  const known = new Map<string, number>();
  const depth = (id: string): number => {
    const before = known.get(id);
    if (before !== undefined) return before;
    known.set(id, 0);
    const found = below(id).reduce((most, one) => Math.max(most, depth(one) + 1), 0);
    known.set(id, found);
    return found;
  };
  return depth;
}
