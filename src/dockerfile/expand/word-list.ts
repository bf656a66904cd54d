import { isSpace } from '../go-text.js';

/** Collects the words of an expansion. Only text that was neither quoted nor escaped is split at white space. */
export class WordList {
  readonly #words: string[] = [];
  #word = '';
  #inWord = false;

  addSplit(text: string): void {
    for (const char of text) {
      if (!isSpace(char)) this.addWhole(char);
      else if (this.#inWord && this.#word !== '') this.#endWord();
    }
  }

  addWhole(text: string): void {
    this.#word += text;
    this.#inWord = true;
  }

  /** Forgets the word that is not yet finished. */
  dropWord(): void {
    this.#word = '';
    this.#inWord = false;
  }

  /** All words so far; an empty one is never among them. */
  finish(): readonly string[] {
    if (this.#word !== '') this.#endWord();
    return this.#words;
  }

  #endWord(): void {
    this.#words.push(this.#word);
    this.dropWord();
  }
}
