/** One line of comma-separated values, as Go's encoding/csv reads it. Throws an Error in its words. */
export function parseCsv(text: string): readonly string[] {
  const line = text.replace(/\r?\n$/, '');
  if (line === '') throw new Error('EOF');
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (line.charAt(at) !== '"') {
      const comma = line.indexOf(',', at);
      const field = line.slice(at, comma < 0 ? undefined : comma);
      const bare = field.indexOf('"');
      if (bare >= 0) throw parseError(line, at + bare, 'bare " in non-quoted-field');
      fields.push(field);
      if (comma < 0) return fields;
      at = comma + 1;
      continue;
    }
    let field = '';
    at++;
    for (;;) {
      const close = line.indexOf('"', at);
      if (close < 0) throw parseError(line, at, 'extraneous or missing " in quoted-field');
      field += line.slice(at, close);
      at = close + 1;
      if (line.charAt(at) !== '"') break;
      field += '"';
      at++;
    }
    fields.push(field);
    if (at === line.length) return fields;
    if (line.charAt(at) !== ',') throw parseError(line, at - 1, 'extraneous or missing " in quoted-field');
    at++;
  }
}

function parseError(line: string, at: number, problem: string): Error {
  return new Error(`parse error on line 1, column ${Buffer.byteLength(line.slice(0, at)) + 1}: ${problem}`);
}
