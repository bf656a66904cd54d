/** Environment of a stage: names in the order in which they were last set. Immutable. */
export class EnvList {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [string, string]> = []) {
    this.#values = new Map(values);
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  with(name: string, value: string): EnvList {
    const values = new Map(this.#values);
    values.delete(name);
    values.set(name, value);
    return new EnvList(values);
  }

  without(name: string): EnvList {
    const values = new Map(this.#values);
    values.delete(name);
    return new EnvList(values);
  }

  /** `NAME=value`, in order. */
  toArray(): readonly string[] {
    return [...this.#values].map(([name, value]) => `${name}=${value}`);
  }
}

/** `NAME=value` cut at the first `=`. */
export function splitEnv(entry: string): readonly [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
