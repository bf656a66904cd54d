import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import type { Cancel } from '../base/abort.js';
import { fromText, toFsPath, toText, type ByteString } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { lutimes, mkfifo, mknod } from '../base/inode.js';
import { LandingFile } from '../base/linux/landing-file.js';
import { makeDirectory } from '../base/make-directory.js';
import { exportFailure } from '../base/system-errors.js';
import type { Entry } from '../layer/entry.js';
import { packLayer, type PackItem } from '../layer/pack.js';
import type { RefView, ViewEntry } from '../layer/ref-view.js';
import { writerTo } from './layer-writer.js';
import type { MachineParts } from './local-machine.js';
import type { ExportTreeRequest } from './machine.js';
import { contentOf, type OpenView } from './ref-views.js';
import { removeOthers } from './remove-others.js';
import { scratch } from './scratch.js';
import { statementItem } from './statement-item.js';

/** The whole file system of a ref, written to a directory or as one tar. Throws EXPORT_FAILED, DISK_FULL. */
export async function exportTree(request: ExportTreeRequest, parts: MachineParts, opts: Cancel): Promise<void> {
  using open = await parts.views.openRef(request.ref, opts);
  using work = scratch(parts.store);
  const limit = request.maxMtime ?? Infinity;
  const items: PackItem[] = [];
  for (const entry of walk(open.view)) {
    opts.signal.throwIfAborted();
    const item = { ...entry, mtime: Math.min(entry.mtime, limit) };
    items.push(await withContent(item, open, work.dir, `file-${items.length}`));
  }
  const { statement } = request;
  if (statement) items.push(await statementItem(statement, items, open.view, opts));
  try {
    if (request.form === 'tar') writeTar(itemsBelow(items, request), request.dest);
    else await writeFiles(items, open, request);
  } catch (error) {
    throw exportFailure(request.dest, error);
  }
}

/** Everything below the root, in tar order; further names of a file as hard links to the first. */
function* walk(view: RefView): Generator<Entry, void, undefined> {
  const first = new Map<number | string, ByteString>();
  function* below(dir: ByteString): Generator<Entry, void, undefined> {
    for (const name of view.list(dir) ?? []) {
      const path = dir === '' ? name : `${dir}/${name}`;
      const found = view.lstat(path);
      if (!found) continue;
      yield linked(found, first);
      if (found.type === 'dir') yield* below(path);
    }
  }
  yield* below('');
}

function linked({ inode, ...entry }: ViewEntry, first: Map<number | string, ByteString>): Entry {
  if (inode === undefined || entry.type === 'dir') return entry;
  const name = first.get(inode);
  if (name !== undefined) return { ...entry, type: 'hardlink', size: 0, linkname: name };
  first.set(inode, entry.path);
  return entry;
}

async function withContent(entry: Entry, open: OpenView, dir: string, name: string): Promise<PackItem> {
  if (entry.type !== 'file' || entry.size === 0) return { entry };
  return { entry, content: await contentOf(open, entry.path, dir, name) };
}

function itemsBelow(items: readonly PackItem[], { below, maxMtime }: ExportTreeRequest): readonly PackItem[] {
  if (below === undefined) return items;
  const dir = fromText(below);
  const moved = items.map(({ entry, ...item }): PackItem => {
    const { path, linkname } = entry;
    const isHardlink = entry.type === 'hardlink' && linkname !== undefined;
    return {
      ...item,
      entry: { ...entry, path: `${dir}/${path}`, ...(isHardlink && { linkname: `${dir}/${linkname}` }) },
    };
  });
  const top = { path: dir, type: 'dir', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: maxMtime ?? 0 } as const;
  return [{ entry: top }, ...moved];
}

function writeTar(items: readonly PackItem[], dest: string): void {
  using file = LandingFile.open(dest);
  packLayer(items, writerTo(file.fd));
  file.land();
}

/**
 * Into a directory that may hold files already, as BuildKit: what is there stays unless something takes its name. The
 * files belong to the user who builds, whatever their owners in the image: root of a user namespace is that user.
 */
async function writeFiles(items: readonly PackItem[], open: OpenView, request: ExportTreeRequest): Promise<void> {
  const { dest, below, isMirror } = request;
  const root = fromText(below === undefined ? dest : `${dest}/${below}`);
  makeDirectory(dest);
  if (below !== undefined) clearWay(toFsPath(root), { type: 'dir' });
  mkdirSync(toFsPath(root), { recursive: true });
  if (isMirror) {
    removeOthers(
      fromText(dest),
      itemsBelow(items, request).map(({ entry }) => entry.path),
    );
  }
  for (const item of items) {
    const { entry } = item;
    const file = toFsPath(`${root}/${entry.path}`);
    clearWay(file, entry);
    switch (entry.type) {
      case 'dir':
        if (!lstatSync(file, { throwIfNoEntry: false })) mkdirSync(file);
        break;
      case 'file':
        await writeContent(file, item, open);
        break;
      case 'symlink':
        symlinkSync(toFsPath(entry.linkname ?? ''), file);
        break;
      case 'hardlink':
        linkSync(toFsPath(`${root}/${entry.linkname}`), file);
        continue;
      case 'fifo':
        tryNode(entry, () => mkfifo(`${root}/${entry.path}`, entry.mode));
        break;
      case 'char':
      case 'block':
        tryDevice(`${root}/${entry.path}`, entry);
        continue;
    }
    // A directory must stay writable until all is in it.
    if (entry.type !== 'symlink') chmodSync(file, entry.type === 'dir' ? entry.mode | 0o700 : entry.mode);
  }
  for (const { entry } of [...items].reverse()) {
    if (entry.type === 'char' || entry.type === 'block') continue;
    if (entry.type === 'dir') chmodSync(toFsPath(`${root}/${entry.path}`), entry.mode);
    lutimes(`${root}/${entry.path}`, entry.mtime);
  }
}

/** Nothing is written through a link that an earlier export left; a directory stays for a directory only. */
function clearWay(file: string | Buffer, entry: Pick<Entry, 'type'>): void {
  const there = lstatSync(file, { throwIfNoEntry: false });
  if (there && !(entry.type === 'dir' && there.isDirectory())) rmSync(file, { recursive: true });
}

async function writeContent(file: string | Buffer, { entry, content }: PackItem, open: OpenView): Promise<void> {
  const fd = openSync(file, 'wx', 0o600);
  try {
    if (entry.size === 0) return;
    const chunks = content?.kind === 'bytes' ? [content.bytes] : open.view.open(entry.path);
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done);
    }
  } finally {
    closeSync(fd);
  }
}

function tryDevice(file: ByteString, entry: Entry): void {
  const type = entry.type === 'char' ? 'char' : 'block';
  tryNode(entry, () => mknod(file, type, entry.mode, entry.devMajor, entry.devMinor));
}

function tryNode(entry: Entry, make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'ENOTSUP')) throw error;
    const what = entry.type === 'fifo' ? 'named pipe' : 'device node';
    const who = hasCode(error, 'EPERM') ? 'by this user' : 'on this system';
    throw new BuildError('EXPORT_FAILED', `the ${what} \`${toText(entry.path)}\` cannot be made ${who}`, {
      hint: hasCode(error, 'EPERM') ? 'export with `type=tar`, or as root' : 'export with `type=tar`',
      cause: error,
    });
  }
}
