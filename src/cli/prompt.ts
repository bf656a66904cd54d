import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Cancel } from '../base/abort.js';
import { BuildError } from '../base/errors.js';

export interface Question extends Cancel {
  /** What is typed is not shown. */
  readonly isSecret?: boolean;
}

/** Asks on the terminal; the question goes to stderr. Throws USAGE when the input ends in place of an answer. */
export async function ask(question: string, { isSecret = false, signal }: Question): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({
    input: process.stdin,
    output: isSecret ? nowhere : process.stderr,
    terminal: true,
    historySize: 0,
  });
  try {
    // Ctrl-C comes here as a key, because the terminal hands on every key.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const ended = new Promise<never>((_resolve, reject) => {
      lines.once('close', () => reject(new BuildError('USAGE', 'the input ended before the answer')));
    });
    ended.catch(() => undefined); // it ends after the answer too
    if (isSecret) process.stderr.write(question);
    const answer = await Promise.race([lines.question(isSecret ? '' : question, { signal }), ended]);
    return answer;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
    if (isSecret) process.stderr.write('\n');
  }
}
