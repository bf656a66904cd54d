import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Entry } from '../entry.js';
import { flagOf } from '../tar-format.js';
import { tarName } from '../tar-writer.js';

/** An entry as Go read it; byte strings are base64. */
export interface GoEntry {
  readonly Name: string;
  readonly Linkname: string;
  readonly Type: number;
  readonly Mode: number;
  readonly Size: number;
  readonly Uid: number;
  readonly Gid: number;
  readonly Mtime: number;
  readonly Devmajor: number;
  readonly Devminor: number;
  /** Names are base64 too. */
  readonly Xattrs: Readonly<Record<string, string>> | null;
  readonly Sha256: string;
}

export interface GoAnswer {
  readonly Header?: string;
  readonly Entries?: readonly GoEntry[];
  readonly Error?: string;
}

export type GoRequest = { readonly Write: object } | { readonly Read: string };

/** Where Go is installed; undefined when it is not. */
export function goRoot(): string | undefined {
  const found = spawnSync('go', ['env', 'GOROOT'], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** Asks Go's archive/tar, all requests in one run. */
export function askGo(requests: readonly GoRequest[]): readonly GoAnswer[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'gotar-'));
  try {
    const run = spawnSync('go', ['run', path.join(import.meta.dirname, 'gotar.go')], {
      cwd: folder,
      input: requests.map((request) => JSON.stringify(request)).join('\n'),
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    });
    if (run.status !== 0) throw new Error(`go run failed: ${run.stderr}`);
    return run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as GoAnswer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function writeRequest(entry: Entry): GoRequest {
  const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  const xattrs = [...(entry.xattrs ?? [])].map(([key, value]) => [key, value.toString('base64')] as const);
  return {
    Write: {
      Name: base64(tarName(entry)),
      Linkname: base64(entry.linkname ?? ''),
      Type: flagOf[entry.type],
      Mode: entry.mode,
      Size: entry.size,
      Uid: entry.uid,
      Gid: entry.gid,
      Mtime: entry.mtime,
      Devmajor: entry.devMajor ?? 0,
      Devminor: entry.devMinor ?? 0,
      Xattrs: Object.fromEntries(xattrs),
    },
  };
}
