/**
 * Chooses between the system calls of Linux (`linux/`, through koffi) and what Node.js can do anywhere (`portable/`). On
 * other systems builds without RUN are all there is, and nothing of `linux/` is called.
 */
export const isLinux = process.platform === 'linux';

/** Has no modes, no hard links worth the name and other separators; see `worker/context/context-entry.ts`. */
export const isWindows = process.platform === 'win32';
