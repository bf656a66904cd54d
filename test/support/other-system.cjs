// Loaded before the command line (`--require`): makes this machine look like one that is not Linux, as far as a program
// written in JavaScript can tell. koffi, through which all system calls go that Node.js does not offer, cannot be loaded.
// Paths stay as this machine has them, for `node:path` has made up its mind before.
const Module = require('node:module');

const load = Module._load;
Module._load = function (request, ...rest) {
  if (request === 'koffi') throw new Error('koffi was loaded where there are no system calls for it');
  return load.call(this, request, ...rest);
};
Object.defineProperty(process, 'platform', { value: process.env.SLIPWAY_TEST_PLATFORM });
if (process.platform === 'win32') {
  process.getuid = undefined;
  process.geteuid = undefined;
  process.getgid = undefined;
}
