import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { type ByteString, toFsPath, toText } from '../base/bytes.js';
import { BuildError, hasCode } from '../base/errors.js';
import { mkfifo, mknod, lutimes } from '../base/linux/inode.js';
import { isOwnerRecord, recordOwner } from '../base/linux/recorded-owner.js';
import { lsetxattr } from '../base/linux/xattr.js';
import { dirOf, joinPath } from './entry-path.js';
import type { FileNode } from './merged-tree.js';
import { opaqueName, whiteoutName } from './whiteout.js';

type Meta = FileNode['meta'];

/**
 * How a tree says that something of a lower tree is gone: by overlayfs's markers, by names as in a layer, which
 * fuse-overlayfs reads on every file system, or by being all there is.
 */
export type TreeDialect = 'overlay-trusted' | 'overlay-user' | 'fuse' | 'plain';

/**
 * What becomes of owners. Where the process may give files to nobody else, everything stays its own: 'record' puts the
 * owner beside a file or directory (`base/linux/recorded-owner.ts`), 'drop' forgets it.
 */
export type Owners = 'keep' | 'record' | 'drop';

export interface NodeWriterOptions {
  readonly dialect: TreeDialect;
  readonly owners: Owners;
}

/** Makes, changes and removes the files of a tree, by paths that the caller knows to be free of links. */
export class NodeWriter {
  readonly #root: ByteString;
  readonly #options: NodeWriterOptions;

  /** `root`: an existing directory. */
  constructor(root: ByteString, options: NodeWriterOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Without its modification time, which is set when nothing more is put into it. */
  makeDir(path: ByteString, meta: Meta): void {
    this.#do(path, () => mkdirSync(toFsPath(this.#at(path)), { mode: 0o700 }));
    this.setMeta(path, meta);
  }

  makeSymlink(path: ByteString, meta: Meta): void {
    this.#do(path, () => symlinkSync(Buffer.from(meta.linkname ?? '', 'latin1'), toFsPath(this.#at(path))));
    this.setMeta(path, meta);
    this.setTime(path, meta);
  }

  /** False if this process may not make a device, as in a user namespace. */
  makeSpecial(path: ByteString, meta: Meta & { readonly type: 'char' | 'block' | 'fifo' }): boolean {
    try {
      if (meta.type === 'fifo') mkfifo(this.#at(path), 0o600);
      else mknod(this.#at(path), meta.type, 0o600, meta.devMajor ?? 0, meta.devMinor ?? 0);
    } catch (error) {
      if (meta.type !== 'fifo' && hasCode(error, 'EPERM')) return false;
      throw failure(path, error);
    }
    this.setMeta(path, meta);
    this.setTime(path, meta);
    return true;
  }

  /** Opens a new file for `writeFile`; `closeFile` gives it size and metadata. */
  openFile(path: ByteString): number {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return this.#do(path, () => openSync(toFsPath(this.#at(path)), flags, 0o600));
  }

  writeFile(path: ByteString, fd: number, bytes: Buffer, position: number): void {
    this.#do(path, () => {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(fd, bytes, done, bytes.length - done, position + done);
      }
    });
  }

  /** `written`: where the last write ended; what lies between and behind is a hole. */
  closeFile(path: ByteString, fd: number, meta: Meta, written: number): void {
    this.#do(path, () => {
      try {
        if (written < meta.size) ftruncateSync(fd, meta.size);
      } finally {
        closeSync(fd);
      }
    });
    this.setMeta(path, meta);
    this.setTime(path, meta);
  }

  /** A file of a lower tree, made anew with its content. */
  copyFile(path: ByteString, from: ByteString, meta: Meta): void {
    const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
    this.#do(path, () => copyFileSync(toFsPath(from), toFsPath(this.#at(path)), mode));
    this.setMeta(path, meta);
    this.setTime(path, meta);
  }

  /** Gives a file that has several names a copy of its own under this one. */
  partFile(path: ByteString, meta: Meta): void {
    const aside = joinPath(dirOf(path), '.wh..aside'); // no tree has a name that begins so: layers use it for markers
    this.#do(path, () => renameSync(toFsPath(this.#at(path)), toFsPath(this.#at(aside))));
    this.copyFile(path, this.#at(aside), meta);
    this.removeFile(aside);
  }

  makeLink(path: ByteString, target: ByteString): void {
    this.#do(path, () => linkSync(toFsPath(this.#at(target)), toFsPath(this.#at(path))));
  }

  /** Hides what lower trees have at `path`, where nothing is now. */
  makeWhiteout(path: ByteString): void {
    if (this.#options.dialect === 'fuse') return this.#makeMark(whiteoutName(path));
    this.#do(path, () => mknod(this.#at(path), 'char', 0, 0, 0));
  }

  removeWhiteout(path: ByteString): void {
    this.removeFile(this.#options.dialect === 'fuse' ? whiteoutName(path) : path);
  }

  makeOpaque(path: ByteString): void {
    const { dialect } = this.#options;
    if (dialect === 'fuse') return this.#makeMark(opaqueName(path));
    const name = dialect === 'overlay-user' ? 'user.overlay.opaque' : 'trusted.overlay.opaque';
    this.#do(path, () => lsetxattr(this.#at(path), name, Buffer.from('y')));
  }

  /** One that is there already is good. */
  #makeMark(path: ByteString): void {
    this.#do(path, () => closeSync(openSync(toFsPath(this.#at(path)), 'w', 0o600)));
  }

  /** Owner, attributes and mode, in the order that keeps all: chown clears setuid and capabilities. */
  setMeta(path: ByteString, meta: Meta): void {
    const full = this.#at(path);
    this.#do(path, () => {
      this.#setOwner(full, meta);
      for (const [name, value] of meta.xattrs ?? []) this.#setXattr(full, name, value, meta);
      if (meta.type !== 'symlink') chmodSync(toFsPath(full), meta.mode);
    });
  }

  setTime(path: ByteString, meta: Meta): void {
    this.#do(path, () => lutimes(this.#at(path), meta.mtime));
  }

  removeTree(path: ByteString): void {
    this.#do(path, () => rmSync(toFsPath(this.#at(path)), { recursive: true }));
  }

  removeFile(path: ByteString): void {
    this.#do(path, () => unlinkSync(toFsPath(this.#at(path))));
  }

  #setOwner(full: ByteString, meta: Meta): void {
    const { owners } = this.#options;
    if (owners === 'keep') lchownSync(toFsPath(full), meta.uid, meta.gid);
    else if (owners === 'record' && (meta.type === 'file' || meta.type === 'dir')) recordOwner(full, meta);
  }

  #setXattr(full: ByteString, name: string, value: Buffer, meta: Meta): void {
    // overlayfs and fuse-overlayfs read their own attributes as commands, and Slipway its own: a layer must not give any
    if (/^(?:trusted\.overlay|user\.overlay|user\.fuseoverlayfs)\./.test(name) || isOwnerRecord(name)) return;
    try {
      lsetxattr(full, name, value);
    } catch (error) {
      if (hasCode(error, 'ENOTSUP', 'EOPNOTSUPP')) return;
      const isPlainUser = name.startsWith('user.') && meta.type !== 'file' && meta.type !== 'dir';
      if (isPlainUser && hasCode(error, 'EPERM')) return;
      throw error;
    }
  }

  #at(path: ByteString): ByteString {
    return joinPath(this.#root, path);
  }

  #do<T>(path: ByteString, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw failure(path, error);
    }
  }
}

function failure(path: ByteString, cause: unknown): BuildError {
  const message = `cannot unpack \`${toText(path.slice(0, 200))}\``;
  if (hasCode(cause, 'ENOSPC', 'EDQUOT')) {
    const name = toText(path.slice(0, 200));
    return new BuildError('DISK_FULL', `no space left on the disk while unpacking \`${name}\``, {
      hint: 'free some space, or put the store elsewhere with `--root` or `SLIPWAY_ROOT`; the store is intact',
      cause,
    });
  }
  if (hasCode(cause, 'ENAMETOOLONG')) return new BuildError('ARCHIVE_INVALID', message, { cause });
  if (hasCode(cause, 'EINVAL', 'EPERM')) {
    const hint = 'the layer has owners or attributes that this process may not set: more subordinate ids may help';
    return new BuildError('ISOLATION_UNAVAILABLE', message, { cause, hint });
  }
  return new BuildError('STORE_UNAVAILABLE', message, { cause });
}
