import { Worker } from 'node:worker_threads';

/** Waits in a thread of its own, since a loop that never ends lets nothing else run in this one. */
const WATCH = `
const { writeSync } = require('node:fs');
const { workerData: { beat, allowedMs, what } } = require('node:worker_threads');
for (;;) {
  const now = Atomics.load(beat, 0);
  if (now === -1) break;
  if (Atomics.wait(beat, 0, now, allowedMs) === 'timed-out' && Atomics.load(beat, 0) === now) {
    writeSync(2, '\\n' + what + ': number ' + now + ' has not ended after ' + allowedMs + ' ms\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}`;

/** Ends the process, with a message that says where, when one of many short runs hangs. */
export class Watchdog {
  readonly #beat = new Int32Array(new SharedArrayBuffer(4));

  constructor(what: string, allowedMs = 60_000) {
    new Worker(WATCH, { eval: true, workerData: { beat: this.#beat, allowedMs, what } }).unref();
  }

  /** The run that begins now. */
  begin(number: number): void {
    this.#set(number);
  }

  [Symbol.dispose](): void {
    this.#set(-1);
  }

  #set(value: number): void {
    Atomics.store(this.#beat, 0, value);
    Atomics.notify(this.#beat, 0);
  }
}
