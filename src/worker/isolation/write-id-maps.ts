import { execFile } from 'node:child_process';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { BuildError } from '../../base/errors.js';
import { lgetxattr } from '../../base/linux/xattr.js';
import { hintForIds, type IdMap } from './id-maps.js';

/**
 * Writes the maps of the user namespace that a process of ours has made for itself. Throws ISOLATION_UNAVAILABLE with
 * what the program says, and what could be done about it.
 */
export async function writeIdMaps(pid: number, maps: readonly IdMap[], { signal }: Cancel): Promise<void> {
  for (const { program, ranges } of maps) {
    const numbers = ranges.flatMap(({ inner, outer, count }) => [inner, outer, count]);
    const failure = await run(program, [pid, ...numbers].map(String), signal);
    signal.throwIfAborted();
    if (failure === undefined) continue;
    throw new BuildError('ISOLATION_UNAVAILABLE', `subordinate ids cannot be used: ${failure}`, {
      hint: remedy(program, failure),
    });
  }
}

function run(file: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C' };
    execFile(file, args, { signal, env }, (error, _, stderr) => {
      resolve(error ? stderr.trim().split('\n').at(-1) || error.message : undefined);
    });
  });
}

const CAP_SETGID = 6n;
const CAP_SETUID = 7n;

/** The kernel says no more than EPERM; these are the usual causes, in the order in which they would be met. */
function remedy(program: string, failure: string): string {
  if (failure.includes('not allowed')) return hintForIds();
  const status = readFileSync('/proc/self/status', 'latin1');
  if (/^NoNewPrivs:\s*1$/m.test(status)) {
    return (
      'this process may get no new privileges, which `newuidmap` needs: leave out `--security-opt no-new-privileges`, ' +
      'or in Kubernetes set `allowPrivilegeEscalation: true`'
    );
  }
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  if (((bounding >> CAP_SETUID) & (bounding >> CAP_SETGID) & 1n) === 0n) {
    return 'this container lacks the capabilities SETUID and SETGID, which `newuidmap` needs: give it both';
  }
  const file = realpathSync(program);
  if (isNosuid(file)) return `\`${file}\` lies on a file system that is mounted \`nosuid\`: mount it without`;
  if ((statSync(file).mode & 0o4000) === 0 && lgetxattr(fromText(file), 'security.capability') === undefined) {
    return `\`${file}\` has lost its rights; as root: \`chmod u+s ${file}\``;
  }
  return 'run `slipway doctor` to see what this machine allows, and how to get more';
}

/** By the mount of the longest path that the file is below. */
function isNosuid(file: string): boolean {
  let best = { point: '', options: '' };
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ');
    const isAbove = point !== '' && (point === '/' || file.startsWith(`${path.resolve(point)}/`));
    if (isAbove && point.length >= best.point.length) best = { point, options };
  }
  return best.options.split(',').includes('nosuid');
}
