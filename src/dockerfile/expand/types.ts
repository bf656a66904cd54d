/** The variables in scope; a Map fits. */
export interface Variables {
  get(name: string): string | undefined;
  keys(): Iterable<string>;
}

export interface ExpandOptions {
  /** Of the `# escape=` directive; backslash by default. */
  readonly escape?: string;
  /** Quotes stay in the result. */
  readonly rawQuotes?: boolean;
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes are ordinary characters. */
  readonly skipProcessQuotes?: boolean;
  /** A variable that is not set stays as it is written. */
  readonly skipUnsetEnv?: boolean;
}

/** What an expansion gave. */
export interface Expansion {
  /** The whole text; empty after an error. */
  readonly text: string;
  /** The text split at white space that is neither quoted nor escaped; none after an error. */
  readonly words: readonly string[];
  /** Names that were looked up and found, up to the error if there is one. */
  readonly matched: ReadonlySet<string>;
  readonly unmatched: ReadonlySet<string>;
  /** In BuildKit's words. */
  readonly error?: string;
}
