/** Lines of cells as Go's tabwriter sets them: each cell but the last as wide as its column, and `gap` spaces. */
export function tabColumns(rows: readonly (readonly string[])[], gap: number): string {
  const width = (cell: string): number => [...cell].length;
  const columns = Math.max(0, ...rows.map((row) => row.length - 1));
  const widths = Array.from({ length: columns }, (_, i) => gap + Math.max(...rows.map((row) => width(row[i] ?? ''))));
  const padded = (cell: string, i: number): string => cell + ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
  return rows.map((row) => `${row.slice(0, -1).map(padded).join('')}${row.at(-1) ?? ''}\n`).join('');
}
