import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { homeDirectory } from '../base/home-directory.js';
import { replaceFile } from '../base/atomic-file.js';
import { BuildError, hasCode } from '../base/errors.js';
import { makeDirectory } from '../base/make-directory.js';
import { explainSystemError } from '../base/system-errors.js';
import type { Cancel } from '../base/abort.js';
import { withLock } from './lock.js';
import { BlobStore } from './blobs.js';
import { ContextFiles } from './context-files.js';
import { ImageStore } from './images.js';
import { holdsNothing, LeaseFile, type Holding } from './lease-file.js';
import { Lease, sweepDeadLeases } from './leases.js';
import { StorePaths } from './paths.js';
import { refuseLinkedFolders, refusePlantedRoot } from './planted-root.js';
import { RecordStore } from './records.js';
import { RefStore } from './refs.js';

const VERSION = 1;

/** `--root`, else `SLIPWAY_ROOT`, else `slipway` in `$XDG_DATA_HOME`, else in the folder that the system has for such data. */
export function storeRoot(option: string | undefined, env: NodeJS.ProcessEnv): string {
  return path.resolve(option || env['SLIPWAY_ROOT'] || path.join(env['XDG_DATA_HOME'] || dataHome(env), 'slipway'));
}

function dataHome(env: NodeJS.ProcessEnv): string {
  switch (process.platform) {
    case 'win32':
      return env['LOCALAPPDATA'] || path.join(homeDirectory(env), 'AppData', 'Local');
    case 'darwin':
      return path.join(homeDirectory(env), 'Library', 'Application Support');
    default:
      return path.join(homeDirectory(env), '.local/share');
  }
}

/**
 * A store as one job sees it. It is an OCI image layout that other tools can read as it lies; beside the layout it keeps
 * refs, trees, tables of contents and cache records. Any number of processes may use one store.
 */
export class Store {
  readonly paths: StorePaths;
  readonly holding: Holding;
  /** `read`: nothing is remembered, and what would write fails. */
  readonly access: 'read' | 'write';
  readonly blobs: BlobStore;
  readonly images: ImageStore;
  readonly refs: RefStore;
  readonly records: RecordStore;
  readonly contexts: ContextFiles;

  private constructor(paths: StorePaths, holding: Holding, access: 'read' | 'write' = 'write') {
    this.paths = paths;
    this.access = access;
    this.holding = holding;
    this.blobs = new BlobStore(paths, holding);
    this.images = new ImageStore(paths, holding);
    this.refs = new RefStore(paths, holding);
    this.records = new RecordStore(paths, holding, access);
    this.contexts = new ContextFiles(paths, holding, access);
  }

  /** Names the job's temporary files. */
  get leaseId(): string {
    return this.holding.leaseId;
  }

  /**
   * Opens the store for a job, making it if absent, and takes the job's lease. What dead jobs left is swept.
   * Throws STORE_INVALID for a store of a later version and one that somebody else has planted, STORE_UNAVAILABLE and DISK_FULL.
   */
  static async open(root: string, { signal }: Cancel): Promise<OpenStore> {
    const paths = new StorePaths(root);
    try {
      refusePlantedRoot(root);
      refuseLinkedFolders(paths);
      if (readVersion(paths) !== VERSION) {
        // Images may be private, and contents of cache mounts are: other users of the machine have no business here.
        makeRoot(root);
        refusePlantedRoot(root); // in the meantime it may have been made
        await mkdir(path.join(root, 'locks'), { recursive: true });
        await withLock(paths.lock('store'), signal, () => prepare(paths));
      }
      const lease = Lease.take(paths, { signal });
      await sweepDeadLeases(paths);
      return { store: new Store(paths, lease), lease };
    } catch (error) {
      throw explainSystemError(error, `opening the store \`${root}\``);
    }
  }

  /**
   * Opens the store for a job that only reads; one that cannot be written, then, as it lies: a garbage collection that
   * some other machine does on it may take away what is read. Throws as `open`.
   */
  static async openToRead(root: string, opts: Cancel): Promise<OpenStore> {
    try {
      return await Store.open(root, opts);
    } catch (error) {
      if (!(error instanceof BuildError) || !['STORE_UNAVAILABLE', 'DISK_FULL'].includes(error.code)) throw error;
      const paths = new StorePaths(root);
      if (!isThere(paths)) throw error;
      return { store: new Store(paths, holdsNothing, 'read'), lease: { release: () => Promise.resolve() } };
    }
  }

  /** The store of a job whose lease another process of the same job has. `signal` ends waiting to hold something. */
  static join(root: string, leaseId: string, opts: Cancel): Store {
    const paths = new StorePaths(root);
    return new Store(paths, new LeaseFile(paths, leaseId, opts));
  }
}

export interface OpenStore {
  readonly store: Store;
  /** To be given back when the job is over. */
  readonly lease: Pick<Lease, 'release'>;
}

function makeRoot(root: string): void {
  try {
    makeDirectory(root, 0o700);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EEXIST')) throw error;
    throw new BuildError('STORE_UNAVAILABLE', `the store \`${root}\` cannot be made: ${(error as Error).message}`, {
      hint: 'name another directory with `--root` or `SLIPWAY_ROOT`',
      cause: error,
    });
  }
}

async function prepare(paths: StorePaths): Promise<void> {
  if (readVersion(paths) !== undefined) return; // another process made it meanwhile
  for (const dir of ['blobs/sha256', 'toc', 'trees', 'refs', 'records', 'leases', 'locks', 'tmp', 'work', 'mounts']) {
    await mkdir(path.join(paths.root, dir), { recursive: true });
  }
  if (!present(paths.layout)) {
    await replaceFile(paths.layout, JSON.stringify({ imageLayoutVersion: '1.0.0' }), path.join(paths.root, 'tmp'));
  }
  if (!present(paths.index)) {
    const empty = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    await replaceFile(paths.index, JSON.stringify(empty), path.join(paths.root, 'tmp'));
  }
  await replaceFile(paths.version, JSON.stringify({ version: VERSION }), path.join(paths.root, 'tmp'));
}

function readVersion(paths: StorePaths): number | undefined {
  const text = present(paths.version);
  if (text === undefined) return undefined;
  const version = versionIn(text);
  if (version === undefined) {
    throw new BuildError('STORE_INVALID', `\`${paths.version}\` is damaged`, {
      hint: `if this version has made the store, let the file be \`{"version":${VERSION}}\``,
    });
  }
  if (version !== VERSION) {
    throw new BuildError(
      'STORE_INVALID',
      `the store \`${paths.root}\` has format ${version}, this Slipway knows ${VERSION}`,
      {
        hint: 'use a newer Slipway, or another store with `--root`',
      },
    );
  }
  return version;
}

/** False for one that cannot be read either: the reason is the first one then. */
function isThere(paths: StorePaths): boolean {
  try {
    return readVersion(paths) === VERSION;
  } catch {
    return false;
  }
}

function versionIn(text: string): number | undefined {
  try {
    const { version } = (JSON.parse(text) ?? {}) as { readonly version?: unknown };
    return typeof version === 'number' ? version : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function present(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
