import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { hasCode } from '../../base/errors.js';
import { findProgram } from '../../executor/runtime.js';
import type { Lack } from './programs.js';

/** A map of a user namespace, and the program that may write it: newuidmap(1) or newgidmap(1). */
export interface IdMap {
  readonly program: string;
  readonly ranges: readonly IdRange[];
}

export interface IdRange {
  /** First id in the namespace. */
  readonly inner: number;
  /** The id outside that it is. */
  readonly outer: number;
  readonly count: number;
}

/**
 * The maps for the current user: 0 is the user's own id, 1 and up are the first range that /etc/subuid or /etc/subgid
 * gives. That is what `unshare --map-root-user --map-auto` makes (one id of the range stays unused), so trees of
 * either are the other's too, and what `podman unshare` and RootlessKit make of one range.
 */
export function findIdMaps(env: NodeJS.ProcessEnv): readonly IdMap[] | Lack {
  const maps: IdMap[] = [];
  for (const { name, file, own } of [
    { name: 'newuidmap', file: '/etc/subuid', own: process.getuid?.() ?? 0 },
    { name: 'newgidmap', file: '/etc/subgid', own: process.getgid?.() ?? 0 },
  ]) {
    const program = findProgram(name, env);
    if (program === undefined) {
      return { reason: `\`${name}\` is not installed`, hint: 'install it, for example `apt-get install uidmap`' };
    }
    const range = firstRange(readIds(file), [userName(), String(process.getuid?.())]);
    if (!range) return { reason: `\`${file}\` gives no ids to \`${userName()}\``, hint: hintForIds() };
    const rest = range.count > 1 ? [{ inner: 1, outer: range.first, count: range.count - 1 }] : [];
    maps.push({ program, ranges: [{ inner: 0, outer: own, count: 1 }, ...rest] });
  }
  return maps;
}

/** What gives the current user the `userns` rung. */
export function hintForMoreIds(): string {
  return `more than one id is needed: install \`newuidmap\` (\`apt-get install uidmap\`), and ${hintForIds()}`;
}

/** What gives the current user subordinate ids. */
export function hintForIds(): string {
  return `as root: \`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${userName()}\``;
}

/** The first range that a text in the form of subuid(5) gives to one of the owners, who is named or numbered. */
export function firstRange(
  text: string,
  owners: readonly string[],
): { readonly first: number; readonly count: number } | undefined {
  for (const line of text.split('\n')) {
    const [owner = '', first = '', count = ''] = line.trim().split(':');
    if (!owners.includes(owner) || !/^\d+$/.test(first) || !/^\d+$/.test(count)) continue;
    if (Number(count) > 0) return { first: Number(first), count: Number(count) };
  }
  return undefined;
}

function readIds(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return '';
    throw error;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.()); // a uid that passwd does not have
  }
}
