'use strict';
// What V8 made of a script, kept from run to run. V8 takes it only if its own version and flags are those that it was made with.
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

/** Nobody but its owner may write it. */
const OTHERS_WRITE = 0o022;

/**
 * The cache of the script in `file`: the one that was built with it, else one of this user for this version of Node.js. It is
 * code: one that others could have written is not taken.
 */
function codeCache(file) {
  const built = builtCache(file);
  let own;
  return {
    candidates: [() => built, () => (own ??= ownCache(file))?.read()],
    /** Makes one of a build that went well, when none could be used. Where it cannot be written there is none. */
    keepOf(script, verb) {
      if (script.isCached || verb !== 'build') return;
      process.once('exit', (code) => {
        if (code === 0) (own ??= ownCache(file))?.write(script.createCachedData());
      });
    },
  };
}

/** The cache that was built with the script. */
function builtCache(file) {
  return read(file.replace(/\.cjs$/, '.cache'));
}

/** Throws ENOENT when there is no such file. */
function compile(file, { candidates }) {
  // As stack traces have it: a part of the cache, which may have been made elsewhere.
  const filename = `slipway/dist/${path.basename(file)}`;
  const source = fs.readFileSync(file, 'latin1'); // it is ASCII
  for (const candidate of candidates) {
    const cachedData = candidate();
    if (!cachedData) continue;
    const script = new vm.Script(source, { filename, cachedData });
    if (!script.cachedDataRejected) return Object.assign(script, { isCached: true });
  }
  return new vm.Script(source, { filename });
}

/** Below the cache folder of this user, if that is theirs alone; undefined where it is not. */
function ownCache(file) {
  const uid = process.geteuid?.();
  const { HOME = '', XDG_CACHE_HOME = '' } = process.env;
  const base = XDG_CACHE_HOME || (HOME && path.join(HOME, '.cache'));
  if (uid === undefined || !path.isAbsolute(base)) return undefined;
  const { createHash } = require('node:crypto');
  const digest = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
  const { ino, size, mtimeMs, ctimeMs } = fs.statSync(file);
  const dir = path.join(base, 'slipway');
  const name = digest(JSON.stringify([file, process.version, process.arch]))
    .toString('hex')
    .slice(0, 32);
  /** Of this very script. */
  const seal = (data) => digest(JSON.stringify([ino, size, mtimeMs, ctimeMs]), data);
  const isMine = (stats) => stats?.uid === uid && (stats.mode & OTHERS_WRITE) === 0;
  return {
    read() {
      if (!isMine(fs.lstatSync(dir, { throwIfNoEntry: false }))) return undefined;
      const bytes = read(path.join(dir, name), isMine);
      return bytes && seal(bytes.subarray(32)).equals(bytes.subarray(0, 32)) ? bytes.subarray(32) : undefined;
    },
    write(data) {
      const temp = path.join(dir, `.${name}-${process.pid}`);
      try {
        if (fs.statSync(base).uid !== uid) return;
        fs.mkdirSync(dir, { mode: 0o700, recursive: true });
        if (!isMine(fs.lstatSync(dir))) return;
        fs.writeFileSync(temp, Buffer.concat([seal(data), data]), { mode: 0o600, flag: 'wx' });
        fs.renameSync(temp, path.join(dir, name));
      } catch (error) {
        if (error?.code === undefined) throw error; // no error of the system
        fs.rmSync(temp, { force: true });
      }
    },
  };
}

/** Undefined where there is no such file, or none that `isTrusted`. */
function read(file, isTrusted = () => true) {
  let fd;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0));
    const stats = fs.fstatSync(fd);
    return stats.isFile() && isTrusted(stats) ? fs.readFileSync(fd) : undefined;
  } catch (error) {
    if (error?.code === undefined) throw error;
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

module.exports = { builtCache, codeCache, compile };
