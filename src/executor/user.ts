import { BuildError } from '../base/errors.js';
import type { RunUser } from './types.js';

export interface ExecUser extends RunUser {
  /** From passwd by uid; `/` for a user who is not there. */
  readonly home: string;
}

/** A small file of the root file system as text, or undefined. */
export type ReadFile = (path: 'etc/passwd' | 'etc/group') => Promise<Buffer | undefined>;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const MAX_ID = 2 ** 31 - 1;

/**
 * The ids behind a USER (`name`, `uid`, `name:group`, `uid:gid`, ...; '' is root) as BuildKit gives them to RUN: a user
 * without a group has the groups that list its name; numbers need not be in the files, names must.
 */
export async function lookUpUser(user: string, readFile: ReadFile): Promise<ExecUser> {
  const passwd = parsePasswd(await readFile('etc/passwd'));
  const ids = resolve(user, passwd, async () => parseGroup(await readFile('etc/group')));
  const { uid, gid, groups } = await ids;
  const home = passwd.find((entry) => entry.uid === uid)?.home ?? '';
  return { uid, gid, additionalGids: [...new Set([gid, ...groups])], home: home === '' ? '/' : home };
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

async function resolve(
  user: string,
  passwd: readonly PasswdEntry[],
  readGroups: () => Promise<readonly GroupEntry[]>,
): Promise<Ids> {
  const [userPart = '', groupPart = ''] = splitOnce(user === '' ? '0' : user);
  const uidPart = toId(userPart);
  if (uidPart !== undefined && toId(groupPart) !== undefined) {
    return { uid: inRange(uidPart), gid: inRange(toId(groupPart) as number), groups: [] };
  }
  const known = passwd.find((entry) =>
    userPart === '' ? entry.uid === 0 : uidPart === undefined ? entry.name === userPart : entry.uid === uidPart,
  );
  if (!known && userPart !== '' && uidPart === undefined) throw notFound('user', userPart, 'passwd');
  const uid = inRange(known?.uid ?? uidPart ?? 0);
  const ownGid = known?.gid ?? 0;
  if (groupPart !== '') return { uid, gid: findGid(groupPart, await readGroups()), groups: [] };
  if (!known) return { uid, gid: ownGid, groups: [] };
  const groups = (await readGroups()).filter((entry) => entry.members.includes(known.name));
  return { uid, gid: ownGid, groups: groups.map((entry) => entry.gid) };
}

function findGid(group: string, groups: readonly GroupEntry[]): number {
  const number = toId(group);
  if (number !== undefined) return inRange(number);
  const entry = groups.find(({ name }) => name === group);
  if (!entry) throw notFound('group', group, 'group');
  return entry.gid;
}

function parsePasswd(content: Buffer | undefined): readonly PasswdEntry[] {
  return lines(content).map(([name = '', , uid, gid, , home = '']) => ({
    name,
    uid: toId(uid) ?? 0,
    gid: toId(gid) ?? 0,
    home,
  }));
}

function parseGroup(content: Buffer | undefined): readonly GroupEntry[] {
  return lines(content).map(([name = '', , gid, members = '']) => ({
    name,
    gid: toId(gid) ?? 0,
    members: members === '' ? [] : members.split(','),
  }));
}

function lines(content: Buffer | undefined): readonly (readonly string[])[] {
  const text = content?.toString('utf8') ?? '';
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

function splitOnce(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** A decimal number as Go's Atoi reads it. */
function toId(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

function inRange(id: number): number {
  if (id >= 0 && id <= MAX_ID) return id;
  throw new BuildError('RUN_FAILED', `uids and gids must be in range 0-${MAX_ID}`);
}

function notFound(kind: string, name: string, file: string): BuildError {
  return new BuildError('RUN_FAILED', `unable to find ${kind} ${name}: no matching entries in ${file} file`, {
    hint: `create it in an earlier RUN, or give its number`,
  });
}
