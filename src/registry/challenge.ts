/** One demand of a `WWW-Authenticate` header. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. The first of several equal ones counts. */
  readonly params: ReadonlyMap<string, string>;
}

const TOKEN = /[A-Za-z0-9!#$%&'*+.^_`|~-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const BARE = /[^\s,]*/y;
const BLANKS = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

/** The most that is read of a header; what comes after is ignored. */
const MAX_UNITS = 16 * 1024;

/**
 * Reads `WWW-Authenticate` (RFC 9110, 11.6.1): several challenges with several parameters each, all separated by commas.
 * Several headers are given joined by commas. What cannot be read ends the list; never throws.
 */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  const reader = new Reader((header ?? '').slice(0, MAX_UNITS));
  const challenges: Challenge[] = [];
  let params: Map<string, string> | undefined;
  for (;;) {
    reader.take(SEPARATORS);
    const name = reader.take(TOKEN);
    if (!name) return challenges;
    const afterName = reader.at;
    reader.take(BLANKS);
    if (params && reader.takeText('=')) {
      reader.take(BLANKS);
      const key = name.toLowerCase();
      const value = reader.takeQuoted() ?? reader.take(BARE) ?? '';
      if (!params.has(key)) params.set(key, value);
      continue;
    }
    reader.at = afterName;
    params = new Map();
    challenges.push({ scheme: name.toLowerCase(), params });
  }
}

class Reader {
  at = 0;

  constructor(readonly text: string) {}

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }

  takeText(text: string): boolean {
    const isThere = this.text.startsWith(text, this.at);
    if (isThere) this.at += text.length;
    return isThere;
  }

  /** A quoted string without its quotes and escapes. */
  takeQuoted(): string | undefined {
    QUOTED.lastIndex = this.at;
    const found = QUOTED.exec(this.text);
    if (!found) return undefined;
    this.at += found[0].length;
    return found[1]!.replace(/\\(.)/g, '$1');
  }
}
