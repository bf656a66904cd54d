import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Seeded } from '../../test/support/seeded.js';

/** Writes a Dockerfile into a folder of its own below `dir`, since some builders take the whole folder; gives its path. */
export function dockerfile(dir: string, name: string, source: string): string {
  const folder = path.join(dir, `dockerfile-${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'Dockerfile'), source);
  return path.join(folder, 'Dockerfile');
}

const LETTERS = 'etaoinshrdlucmfwyp';
const BETWEEN = [' ', ' ', '.', '(', ') ', ', ', ' = ', '; '];
const WORDS = 4000;
/** Lines that are looked back at, and how often one of them comes again. */
const [NEAR, AGAIN] = [40, 0.55];

/** Text that compresses as source code does, about 4.5 to 1 by gzip, and as fast: words of a vocabulary, lines that come again. */
export class SourceText {
  readonly #random: Seeded;
  readonly #vocabulary: readonly string[];

  constructor(random: Seeded) {
    this.#random = random;
    this.#vocabulary = Array.from({ length: WORDS }, () => {
      const letters = Array.from({ length: 2 + random.below(9) }, () => LETTERS[rare(random, LETTERS.length, 1.7)]);
      return letters.join('');
    });
  }

  /** So many characters, all of one byte. */
  take(length: number): string {
    const lines: string[] = [];
    for (let total = 0; total < length; total += lines.at(-1)!.length) {
      const isAgain = lines.length > 3 && this.#random.chance(AGAIN);
      lines.push(isAgain ? lines.at(-1 - this.#random.below(Math.min(lines.length, NEAR)))! : this.#line());
    }
    return lines.join('').slice(0, length);
  }

  #line(): string {
    const random = this.#random;
    let line = '  '.repeat(random.below(4));
    for (let words = 2 + random.below(7); words > 0; words--) {
      line += this.#vocabulary[rare(random, WORDS, 3)]! + BETWEEN[random.below(BETWEEN.length)]!;
    }
    return `${line}\n`;
  }
}

/** A number below `end`; the higher `power`, the more often a low one. */
function rare(random: Seeded, end: number, power: number): number {
  return Math.floor(end * random.next() ** power);
}

/** Bytes that do not compress. */
export function noise(random: Seeded, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) buffer[i] = random.below(256);
  return buffer;
}
