import {
  chmodSync,
  chownSync,
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fromText } from '../../src/base/bytes.js';
import { mkfifo, mknod } from '../../src/base/linux/inode.js';
import { lsetxattr } from '../../src/base/linux/xattr.js';
import type { ImageConfig } from '../../src/oci/image-config.js';
import type { HttpFiles } from './http-cases.js';

/** What goldens were recorded with: the build-arg SOURCE_DATE_EPOCH, with rewrite-timestamp. */
export const EPOCH = 1445412480;

export type PrepareStep =
  | { readonly op: 'mkdir' | 'fifo' | 'socket'; readonly path: string; readonly mode?: string }
  | { readonly op: 'chmod'; readonly path: string; readonly mode: string }
  | { readonly op: 'chown'; readonly path: string; readonly uid: number; readonly gid: number }
  | { readonly op: 'symlink' | 'hardlink'; readonly path: string; readonly target: string }
  | { readonly op: 'mtime'; readonly path: string; readonly time: number }
  | {
      readonly op: 'mknod';
      readonly path: string;
      readonly type: 'c' | 'b';
      readonly major: number;
      readonly minor: number;
      readonly mode: string;
    }
  | { readonly op: 'xattr'; readonly path: string; readonly name: string; readonly valueBase64: string }
  | { readonly op: 'sparse'; readonly path: string; readonly size: number }
  | { readonly op: 'write'; readonly path: string; readonly content?: string; readonly contentBase64?: string };

export interface CaseOptions {
  readonly filename?: string;
  readonly target?: string;
  readonly platform?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly hostname?: string;
  readonly network?: string;
  readonly 'shm-size'?: string;
  readonly ulimit?: string;
  readonly contexts?: Readonly<
    Record<string, { readonly dir: string } | { readonly image: string } | { readonly raw: string }>
  >;
  readonly secrets?: Readonly<Record<string, { readonly file: string } | { readonly value: string }>>;
  readonly allow?: readonly string[];
  readonly noEpoch?: boolean;
}

export interface CaseFile {
  readonly name: string;
  readonly features: readonly string[];
  readonly options: CaseOptions;
  readonly prepare: readonly PrepareStep[];
  readonly http?: HttpFiles;
  readonly expect: { readonly golden: string } | { readonly error: string };
}

export interface GoldenEntry {
  readonly path: string;
  readonly pathBase64?: string;
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkname?: string;
  readonly sha256?: string;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly pax?: readonly string[];
  readonly unstable?: boolean;
}

export interface Golden {
  readonly config: {
    readonly architecture: string;
    readonly os: string;
    readonly variant?: string;
    readonly created?: string;
    readonly author?: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly history: NonNullable<ImageConfig['history']>;
  };
  readonly baseLayers: number;
  readonly layers: readonly (string | null)[];
  readonly layerEntries: readonly (readonly GoldenEntry[])[];
  readonly unstableLayers?: readonly number[];
}

export interface CaseSummary {
  readonly name: string;
  readonly features: readonly string[];
  readonly expect: 'golden' | 'error';
  /** The Dockerfile has a RUN. */
  readonly run: boolean;
  /** `prepare` needs root. */
  readonly needsRoot: boolean;
  readonly http: boolean;
}

/** Every build case, by name. */
export function listCases(conformanceDir: string): readonly CaseSummary[] {
  return JSON.parse(readFileSync(path.join(conformanceDir, 'build-index.json'), 'utf8')) as CaseSummary[];
}

/** A build case as it is to be run: a copy on disk with what git cannot store. Disposing removes it. */
export interface PreparedCase extends Disposable {
  readonly file: CaseFile;
  readonly dir: string;
  readonly contextDir: string;
  /** Undefined for a case that must fail. */
  readonly golden: Golden | undefined;
}

/** Copies a case into `into`, which is made and must not exist, and applies its steps. */
export function prepareCase(conformanceDir: string, name: string, into: string): PreparedCase {
  const source = path.join(conformanceDir, 'build', name);
  const file = readCase(conformanceDir, name);
  const contextDir = copyCase(source, file.prepare, into);
  const golden = 'golden' in file.expect ? readGolden(path.join(source, file.expect.golden)) : undefined;
  return { file, dir: into, contextDir, golden, [Symbol.dispose]: () => removeCase(into) };
}

/** Copies the directory of a case into `into`, which must not exist, and applies its steps. Gives its build context. */
export function copyCase(source: string, steps: readonly PrepareStep[], into: string): string {
  cpSync(source, into, { recursive: true, verbatimSymlinks: true });
  normaliseModes(into);
  const contextDir = path.join(into, 'ctx');
  mkdirSync(contextDir, { recursive: true });
  for (const step of steps) applyStep(into, step);
  return contextDir;
}

/** What is known of a case without a copy of it. */
export function readCase(conformanceDir: string, name: string): CaseFile {
  return JSON.parse(readFileSync(path.join(conformanceDir, 'build', name, 'case.json'), 'utf8')) as CaseFile;
}

function readGolden(file: string): Golden {
  return JSON.parse(readFileSync(file, 'utf8')) as Golden;
}

function normaliseModes(dir: string): void {
  chmodSync(dir, 0o755);
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const at = path.join(dir, entry.name);
    if (entry.isDirectory()) normaliseModes(at);
    else if (entry.isFile()) chmodSync(at, (statSync(at).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

function applyStep(dir: string, step: PrepareStep): void {
  const at = path.join(dir, step.path);
  const mode = 'mode' in step && step.mode !== undefined ? Number.parseInt(step.mode, 8) : undefined;
  mkdirSync(path.dirname(at), { recursive: true });
  switch (step.op) {
    case 'mkdir':
      mkdirSync(at, { recursive: true });
      chmodSync(at, mode ?? 0o755);
      return;
    case 'chmod':
      chmodSync(at, mode!);
      return;
    case 'chown':
      chownSync(at, step.uid, step.gid);
      return;
    case 'symlink':
      rmSync(at, { force: true });
      symlinkSync(step.target, at);
      return;
    case 'hardlink':
      linkSync(path.join(dir, step.target), at);
      return;
    case 'mtime':
      utimesSync(at, step.time, step.time);
      return;
    case 'fifo':
      mkfifo(fromText(at), mode ?? 0o644);
      chmodSync(at, mode ?? 0o644);
      return;
    case 'socket':
      mknod(fromText(at), 'socket', mode ?? 0o644);
      chmodSync(at, mode ?? 0o644);
      return;
    case 'mknod':
      mknod(fromText(at), step.type === 'c' ? 'char' : 'block', mode!, step.major, step.minor);
      chmodSync(at, mode!);
      return;
    case 'xattr':
      lsetxattr(fromText(at), step.name, Buffer.from(step.valueBase64, 'base64'));
      return;
    case 'sparse':
      writeFileSync(at, '');
      truncateSync(at, step.size);
      chmodSync(at, 0o644);
      return;
    case 'write':
      writeFileSync(
        at,
        step.contentBase64 === undefined ? (step.content ?? '') : Buffer.from(step.contentBase64, 'base64'),
      );
      chmodSync(at, 0o644);
  }
}

/** Removes a copy of a case; directories without any permission are no obstacle. */
export function removeCase(dir: string): void {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(path.join(entry.parentPath, entry.name), 0o755);
  }
  rmSync(dir, { recursive: true, force: true });
}
