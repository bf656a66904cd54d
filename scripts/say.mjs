const startedAt = Date.now();

/** One line of progress on stderr: seconds since the start, what it is about, what happens. stdout is for results. */
export function say(about, message) {
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`${seconds}s  ${about.padEnd(20)}  ${message}\n`);
}

/** Ends the process with code 1 after one message for people: what failed, and what to do about it. */
export function fail(error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
