import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { type ByteString, fromText, toFsPath } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';

/** Where a directory of the store has been moved to for the time of a RUN. */
interface MovedNote {
  /** Where it belongs; absolute. */
  readonly home: string;
  /** Where it is meanwhile: bytes, one character each. */
  readonly at: ByteString;
  /** Device and inode, since what a RUN has put in its place is not it. */
  readonly identity: string;
}

/** The name of a directory without links above it. */
export function homeOf(dir: string): string {
  return path.join(realpathSync(path.dirname(dir)), path.basename(dir));
}

/**
 * Whether a directory can go where it belongs, as `homeOf` has named it: nothing is there, and what is above is there. A process
 * that got the directory around it as well may have put a link above it, behind which lie files of the machine.
 */
export function isFree(home: string): boolean {
  try {
    return homeOf(home) === home && lstatSync(home, { throwIfNoEntry: false }) === undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}

/**
 * Writes down in `notes` that a directory is about to be moved away from its `home` (see `homeOf`), so that `bringHome` finds it when this process does not
 * come to move it back. Gives what removes the note.
 */
export function noteMove(notes: string, home: string, at: ByteString): () => void {
  mkdirSync(notes, { recursive: true });
  const file = path.join(notes, randomBytes(8).toString('hex'));
  const note: MovedNote = { home, at, identity: identityOf(fromText(home)) ?? '' };
  writeFileSync(file, JSON.stringify(note), { flag: 'wx' });
  return () => rmSync(file, { force: true });
}

/**
 * Moves back what a dead job had moved into trees below `dir`, as its `notes` say. What is not to be found any more, or has got a
 * successor meanwhile, stays: it is a cache. Nothing may run in those trees any more.
 */
export function bringHome(notes: string, dir: string): void {
  for (const name of namesIn(notes)) {
    const file = path.join(notes, name);
    const note = parseNote(readFileSync(file, 'utf8'));
    if (note && isBelow(note.at, dir) && identityOf(note.at) === note.identity && isFree(note.home)) {
      renameSync(toFsPath(note.at), note.home);
    }
    rmSync(file);
  }
}

/** Undefined for one that was cut off: nothing was moved yet. */
function parseNote(text: string): MovedNote | undefined {
  try {
    return JSON.parse(text) as MovedNote;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Without a link on the way, which would lead out of the tree. */
function isBelow(at: ByteString, dir: string): boolean {
  try {
    const real = realpathSync(toFsPath(path.posix.dirname(at)), 'latin1') as ByteString;
    return real === path.posix.dirname(at) && real.startsWith(`${fromText(realpathSync(dir))}/`);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}

/** Undefined for what is no directory. */
export function identityOf(dir: ByteString): string | undefined {
  try {
    const stat = lstatSync(toFsPath(dir), { throwIfNoEntry: false, bigint: true });
    return stat?.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
