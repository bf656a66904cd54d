import { readFileSync, readdirSync } from 'node:fs';
import { run } from '../process.mjs';

const PREFIX = 'slipway-test-';
/** Also the users of single tests (`src/worker/isolation/start.fixture.ts`). */
const OF_A_RUN = /^slipway-(?:test|unit)-(\d+)/;

/**
 * Makes an ordinary user with subordinate ids, whose home is `home`, and gives its ids. The caller removes it. Users
 * of test runs that died are removed here.
 */
export async function addUser(home) {
  for (const [name] of records('/etc/passwd')) {
    const [, pid] = OF_A_RUN.exec(name) ?? [];
    if (pid !== undefined && !readdirSync('/proc').includes(pid)) await removeUser({ name });
  }
  const name = `${PREFIX}${process.pid}`;
  await run('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/sh', '--user-group', name], {
    merge: true,
  });
  const [, , uid, gid] = records('/etc/passwd').find(([user]) => user === name);
  const user = { name, uid: Number(uid), gid: Number(gid) };
  for (const [file, option] of [
    ['/etc/subuid', '--add-subuids'],
    ['/etc/subgid', '--add-subgids'],
  ]) {
    if (records(file).some(([owner]) => owner === name)) continue; // useradd did it
    const free = Math.max(100_000, ...records(file).map(([, first, count]) => Number(first) + Number(count)));
    await run('usermod', [option, `${free}-${free + 65_535}`, name], { merge: true });
  }
  return user;
}

export async function removeUser({ name }) {
  await run('userdel', ['--force', name], { merge: true });
}

/** The processes that run as this user or as one of its subordinate ids. */
export function processesOf({ name, uid }) {
  const ranges = records('/etc/subuid').filter(([owner]) => owner === name);
  const isTheirs = (id) =>
    id === uid || ranges.some(([, first, count]) => id >= Number(first) && id < Number(first) + Number(count));
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => isTheirs(realUid(pid)))
    .map(Number);
}

function realUid(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (/^State:\s+Z/m.test(status)) return -1; // it ended; its parent does not ask how
    return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -1);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return -1; // it ended meanwhile
    throw error;
  }
}

/** The lines of a file in the form of /etc/passwd, split into fields; none if there is no such file. */
function records(file) {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(':'));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
