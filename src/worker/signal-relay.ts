import type { SignalSource } from './machine.js';

/** Passes signals on to whoever runs the process, keeping those that come before it has started. */
export class SignalRelay implements SignalSource {
  readonly #early: NodeJS.Signals[] = [];
  #listener: ((signal: NodeJS.Signals) => void) | undefined;

  deliver(signal: NodeJS.Signals): void {
    if (this.#listener) this.#listener(signal);
    else this.#early.push(signal);
  }

  subscribe(listener: (signal: NodeJS.Signals) => void): void {
    this.#listener = listener;
    for (const signal of this.#early.splice(0)) listener(signal);
  }
}
