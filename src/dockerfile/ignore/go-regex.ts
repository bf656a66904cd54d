/**
 * Translates the part of Go's regular expressions that ignore patterns can hold to JavaScript's. A pattern reaches
 * BuildKit's engine with its brackets and escapes as they are, so `[[:alpha:]]` and `\d` mean there what they mean in Go.
 * Gives undefined for what Go refuses.
 */
export function translateGoRegex(source: string): RegExp | undefined {
  const reader = new Reader(source);
  let out = '';
  while (!reader.done) {
    const char = reader.next();
    if (char === '[') {
      const translated = readClass(reader);
      if (translated === undefined) return undefined;
      out += translated;
    } else if (char === '\\') {
      const translated = readEscape(reader);
      if (translated === undefined) return undefined;
      out += translated;
    } else if (char === '.') out += '[^\\n]';
    else if ('^$*?()'.includes(char)) out += char;
    else out += literal(char.codePointAt(0)!);
  }
  try {
    return new RegExp(out, 'u');
  } catch {
    return undefined; // nothing to repeat, a range that runs backwards
  }
}

type Range = readonly [low: number, high: number];

const LAST = 0x10ffff;
const digit: readonly Range[] = [[48, 57]];
const upper: readonly Range[] = [[65, 90]];
const lower: readonly Range[] = [[97, 122]];
const alpha = [...upper, ...lower];
const wordChars: readonly Range[] = [...digit, ...alpha, [95, 95]];
const punctuation: readonly Range[] = [
  [33, 47],
  [58, 64],
  [91, 96],
  [123, 126],
];
const PERL: Readonly<Record<string, readonly Range[]>> = {
  d: digit,
  w: wordChars,
  s: [
    [9, 10],
    [12, 13],
    [32, 32],
  ],
};
const POSIX: Readonly<Record<string, readonly Range[]>> = {
  alnum: [...digit, ...alpha],
  alpha,
  ascii: [[0, 127]],
  blank: [
    [9, 9],
    [32, 32],
  ],
  cntrl: [
    [0, 31],
    [127, 127],
  ],
  digit,
  graph: [[33, 126]],
  lower,
  print: [[32, 126]],
  punct: punctuation,
  space: [
    [9, 13],
    [32, 32],
  ],
  upper,
  word: wordChars,
  xdigit: [...digit, [65, 70], [97, 102]],
};
const CONTROL: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

class Reader {
  readonly #chars: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#chars = Array.from(text);
  }

  get done(): boolean {
    return this.#at >= this.#chars.length;
  }

  peek(offset = 0): string {
    return this.#chars[this.#at + offset] ?? '';
  }

  next(): string {
    return this.#chars[this.#at++] ?? '';
  }

  /** Takes what matches at this place, at most 16 characters long; undefined if nothing does. */
  take(regex: RegExp): RegExpExecArray | undefined {
    const match = regex.exec(this.#chars.slice(this.#at, this.#at + 16).join(''));
    if (!match) return undefined;
    this.#at += Array.from(match[0]).length;
    return match;
  }
}

/** One character given by an escape, after the backslash. */
function readEscapedChar(reader: Reader): number | undefined {
  const octal = reader.take(/^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/);
  if (octal) return Number.parseInt(octal[0], 8);
  const hex = reader.take(/^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})/);
  if (hex) {
    const code = Number.parseInt(hex[1] ?? hex[2]!, 16);
    return code <= LAST ? code : undefined;
  }
  const char = reader.next();
  if (CONTROL[char] !== undefined) return CONTROL[char];
  return /^[!-/:-@[-`{-~\0- \x7f]$/.test(char) ? char.codePointAt(0) : undefined;
}

function readPerlClass(reader: Reader): readonly Range[] | undefined {
  const letter = reader.take(/^[dDsSwW]/)?.[0];
  if (letter === undefined) return undefined;
  const ranges = PERL[letter.toLowerCase()]!;
  return letter === letter.toLowerCase() ? ranges : complement(ranges);
}

function readEscape(reader: Reader): string | undefined {
  const perl = readPerlClass(reader);
  if (perl) return showClass(perl, false);
  const assertion = reader.take(/^[bBAz]/)?.[0];
  if (assertion !== undefined) return { b: '\\b', B: '\\B', A: '^', z: '$' }[assertion];
  const property = reader.take(/^([pP])([LMNPSZC])/u);
  if (property) return `\\${property[1]}{${property[2]}}`;
  const code = readEscapedChar(reader);
  return code === undefined ? undefined : literal(code);
}

function readClass(reader: Reader): string | undefined {
  const negated = reader.peek() === '^';
  if (negated) reader.next();
  const ranges: Range[] = [];
  for (let first = true; first || reader.peek() !== ']'; first = false) {
    if (reader.done) return undefined;
    const posix = reader.take(/^\[:(\^?)(\w+):\]/);
    if (posix) {
      const named = POSIX[posix[2]!];
      if (!named) return undefined;
      ranges.push(...(posix[1] === '^' ? complement(named) : named));
      continue;
    }
    if (reader.peek() === '\\') {
      reader.next();
      const perl = readPerlClass(reader);
      if (perl) {
        ranges.push(...perl);
        continue;
      }
      const code = readEscapedChar(reader);
      if (code === undefined || !addRange(reader, ranges, code)) return undefined;
    } else if (!addRange(reader, ranges, reader.next().codePointAt(0)!)) return undefined;
  }
  reader.next();
  return showClass(ranges, negated);
}

/** Adds `low`, or the range that begins with it; false for a range that ends before it begins. */
function addRange(reader: Reader, ranges: Range[], low: number): boolean {
  let high: number | undefined = low;
  if (reader.peek() === '-' && reader.peek(1) !== ']' && reader.peek(1) !== '') {
    reader.next();
    const char = reader.next();
    high = char === '\\' ? readEscapedChar(reader) : char.codePointAt(0);
  }
  if (high === undefined || high < low) return false;
  ranges.push([low, high]);
  return true;
}

function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let low = 0;
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (from > low) out.push([low, from - 1]);
    low = Math.max(low, to + 1);
  }
  return [...out, [low, LAST]];
}

function showClass(ranges: readonly Range[], negated: boolean): string {
  return `[${negated ? '^' : ''}${ranges.map(([low, high]) => `${literal(low)}-${literal(high)}`).join('')}]`;
}

function literal(code: number): string {
  return `\\u{${code.toString(16)}}`;
}
