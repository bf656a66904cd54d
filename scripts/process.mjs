import { spawn } from 'node:child_process';

/** A program that did not do what it was started for: its name, how it ended, and the end of what it printed. */
export class ProgramFailed extends Error {
  constructor(program, ending, tail) {
    super(`\`${program}\` ${ending}${tail.length > 0 ? `; its last lines:\n${indent(tail)}` : ''}`);
    this.name = 'ProgramFailed';
  }
}

/**
 * Runs a program to its end and gives what it wrote to stdout. stderr (and stdout, with `merge`) goes line by line to
 * `onLine`. Throws a ProgramFailed that carries the last lines unless the exit code is 0. On abort it asks the program to
 * end, and settles only when it has.
 */
export function run(program, args, { cwd, env, signal, merge = false, onLine = () => undefined } = {}) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    // What can be aborted gets a process group of its own: some programs leave their children to finish otherwise.
    const child = spawn(program, args, { cwd, env, detached: signal !== undefined, stdio: ['ignore', 'pipe', 'pipe'] });
    const interrupt = () => endGroup(child.pid);
    signal?.addEventListener('abort', interrupt, { once: true });
    const tail = [];
    const seen = (line) => {
      tail.push(line);
      if (tail.length > 25) tail.shift();
      onLine(line);
    };
    let stdout = '';
    if (merge) readLines(child.stdout, seen);
    else child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    readLines(child.stderr, seen);
    child.once('error', (error) => {
      signal?.removeEventListener('abort', interrupt);
      reject(error); // it could not be started
    });
    child.once('close', (code, killedBy) => {
      signal?.removeEventListener('abort', interrupt);
      if (code === 0) resolve(stdout);
      else reject(new ProgramFailed(program, killedBy ? `was killed by ${killedBy}` : `ended with code ${code}`, tail));
    });
  });
}

/** Runs a program on this terminal and gives its exit code; a signal counts as 128 and its number would, 130 for SIGINT. */
export function runHere(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options });
    // Ctrl-C reaches the child as well: it decides how to end, and this process follows it.
    const wait = () => undefined;
    process.on('SIGINT', wait);
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      process.off('SIGINT', wait);
      resolve(code ?? (killedBy === 'SIGINT' ? 130 : 1));
    });
  });
}

/** Calls `onLine` for each line of a stream of UTF-8 text, the unfinished last one included. */
export function readLines(stream, onLine) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const lines = (rest + text).split(/\r?\n|\r/);
    rest = lines.pop();
    lines.forEach(onLine);
  });
  stream.on('end', () => rest !== '' && onLine(rest));
}

/** Asks a process group to end, if it is still there. */
function endGroup(pid) {
  if (pid === undefined) return; // it could not be started
  try {
    process.kill(-pid, 'SIGTERM');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function indent(lines) {
  return lines.map((line) => `    ${line}`).join('\n');
}
