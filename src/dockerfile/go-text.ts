/**
 * Text rules of the Go standard library, where the Dockerfile language is defined by them: white space is that of
 * `unicode.IsSpace` (JavaScript's differs in U+0085 and U+FEFF), quoting that of `strconv.Quote`.
 */

const SPACES: ReadonlySet<string> = new Set(
  '\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
);

export function isSpace(char: string): boolean {
  return SPACES.has(char);
}

export function trimLeft(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charAt(start))) start++;
  return text.slice(start);
}

export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return trimLeft(text.slice(0, end));
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Without the regular expression for ASCII, because it takes long to compile. */
function isPrintable(char: string, code: number): boolean {
  return code < 0x80 ? code >= 0x20 && code < 0x7f : PRINTABLE.test(char);
}

/** `text` in double quotes, escaped as Go's `%q` does. */
export function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (ESCAPES[char] !== undefined) out += ESCAPES[char];
    else if (isPrintable(char, code)) out += char;
    else if (code < 0x20 || code === 0x7f) out += `\\x${hex(code, 2)}`;
    else if (code >= 0xd800 && code <= 0xdfff) out += '\ufffd';
    else if (code < 0x10000) out += `\\u${hex(code, 4)}`;
    else out += `\\U${hex(code, 8)}`;
  }
  return `${out}"`;
}

/** A list of words as Go's `%q` shows a slice: `["a" "b"]`. */
export function quoteList(words: readonly string[]): string {
  return `[${words.map(quote).join(' ')}]`;
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0');
}

/** `strconv.ParseBool`; undefined when it is not a boolean. */
export function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  return undefined;
}
