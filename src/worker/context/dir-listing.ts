import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { isAscii, toFsPath, fromBytes, type ByteString } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import { statxAt } from '../../base/linux/statx.js';
import { isLinux, isWindows } from '../../base/platform.js';
import { fillRow, isDirectory, isSymlink, MODE, STAT_ROW } from '../../base/stat-row.js';

/** Opening a directory pays from about so many names on. */
const MANY = 6;

/** What was seen of a directory, once: its names in byte order, and a row of numbers for each. */
export class DirListing {
  readonly names: readonly ByteString[];
  /** `STAT_ROW` numbers a name, in the order of the names. */
  readonly rows: Float64Array;
  /** Where the symlinks among them point to, by their place. */
  readonly targets: ReadonlyMap<number, ByteString>;

  constructor(names: readonly ByteString[], rows: Float64Array, targets: ReadonlyMap<number, ByteString>) {
    this.names = names;
    this.rows = rows;
    this.targets = targets;
  }

  /** The place of a name; -1 when it is not there. */
  indexOf(name: ByteString): number {
    let [low, high] = [0, this.names.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const one = this.names[middle]!;
      if (one === name) return middle;
      if (one < name) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  isDir(index: number): boolean {
    return isDirectory(this.rows[index * STAT_ROW + MODE]!);
  }
}

/** `out`: not there for whoever asks. `unless-needed`: there only as a directory that `isNeeded` says yes to. */
export type Judgement = 'in' | 'out' | 'unless-needed';

export interface ListOptions {
  /** Asked once a name, in byte order; nothing is read of what is out. */
  readonly judge?: ((name: ByteString) => Judgement) | undefined;
  readonly isNeeded: (name: ByteString) => boolean;
  /** Runs what reads `name`, or the directory itself, and explains what it throws. */
  readonly explained: <T>(name: ByteString | undefined, read: () => T) => T;
}

/** Reads a directory; what goes while it is read was never there. */
export function listDirectory(dir: string | Buffer, { judge, isNeeded, explained }: ListOptions): DirListing {
  const all = explained(undefined, () => readdirSync(dir, { encoding: 'latin1' })) as ByteString[];
  all.sort();
  const rows = new Float64Array(all.length * STAT_ROW);
  const names: ByteString[] = [];
  const targets = new Map<number, ByteString>();
  const fd = isLinux && all.length >= MANY ? explained(undefined, () => openDirectory(dir)) : undefined;
  try {
    for (const name of all) {
      const judgement = judge?.(name) ?? 'in';
      if (judgement === 'out') continue;
      const row = names.length * STAT_ROW;
      if (!readRow(dir, fd, name, rows, row, explained)) continue;
      const mode = rows[row + MODE]!;
      if (judgement === 'unless-needed' && !(isDirectory(mode) && isNeeded(name))) continue;
      if (isSymlink(mode))
        targets.set(
          names.length,
          explained(name, () => readLink(below(dir, name))),
        );
      names.push(name);
    }
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return new DirListing(names, names.length === all.length ? rows : rows.slice(0, names.length * STAT_ROW), targets);
}

function openDirectory(dir: string | Buffer): number | undefined {
  try {
    return openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (hasCode(error, 'EMFILE', 'ENFILE')) return undefined;
    throw error;
  }
}

/** False when nothing of that name is there. */
function readRow(
  dir: string | Buffer,
  fd: number | undefined,
  name: ByteString,
  rows: Float64Array,
  row: number,
  explained: ListOptions['explained'],
): boolean {
  const found = fd === undefined ? undefined : statxAt(fd, name, rows, row);
  if (found !== undefined) return found;
  const stats = explained(name, () => lstatSync(below(dir, name), { throwIfNoEntry: false }));
  if (stats) fillRow(rows, row, stats);
  return stats !== undefined;
}

function readLink(file: string | Buffer): ByteString {
  const target = fromBytes(readlinkSync(file, { encoding: 'buffer' }));
  return isWindows ? target.replaceAll('\\', '/') : target;
}

function below(dir: string | Buffer, name: ByteString): string | Buffer {
  if (typeof dir === 'string' && isAscii(name)) return `${dir}/${name}`;
  return Buffer.concat([Buffer.from(dir as string), Buffer.from('/'), Buffer.from(toFsPath(name) as string)]);
}
