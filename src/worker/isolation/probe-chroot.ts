import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import type { Cancel } from '../../base/abort.js';
import { fromText } from '../../base/bytes.js';
import { fileSystemType } from '../../base/linux/statfs.js';
import { ownCapabilities } from '../../executor/capabilities.js';
import { launcherFile, startLauncher } from '../../executor/chroot/launch.js';
import type { Obstacle, RungReport } from './ladder.js';

/** Without them a worker cannot change its root, become other users, or write a tree as an image has it. */
const NEEDED = [
  'CAP_SYS_CHROOT',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_KILL',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
];

/** Whether a process can be run with chroot in a directory of `dir`, by doing all of it but to execute a program. */
export async function probeChroot(dir: string, { signal }: Cancel): Promise<RungReport> {
  const no = (obstacle: Obstacle, reason: string, hint: string): RungReport => {
    return { name: 'chroot', available: false, obstacle, reason, hint };
  };
  if (process.getuid?.() !== 0) return no('user', 'not running as root', 'in a container: `--user 0`');
  const own = new Set(ownCapabilities());
  const missing = NEEDED.filter((name) => !own.has(name));
  if (missing.length > 0) {
    return no(
      'capabilities',
      `root without ${missing.join(', ')}`,
      'the capabilities that Docker gives by default are enough',
    );
  }
  const failure = await tryLaunch(dir, signal);
  signal.throwIfAborted();
  if (failure !== undefined)
    return no('chroot', failure, "in a container, its seccomp profile must allow chroot(2), as Docker's does");
  const reason = `chroot in plain directories on ${fileSystemType(fromText(dir))}, without namespaces`;
  return { name: 'chroot', available: true, trees: 'plain', reason };
}

async function tryLaunch(dir: string, signal: AbortSignal): Promise<string | undefined> {
  const root = mkdtempSync(path.join(dir, '.probe-'));
  try {
    const { child, outcome, answers } = startLauncher(launcherFile(), {
      parent: process.pid,
      root: fromText(root),
      cwd: '/',
      args: ['/nothing'],
      env: [],
      user: { uid: 1, gid: 1, additionalGids: [1] },
      capabilities: [],
      limits: [],
    });
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    let stderr = '';
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout!.resume();
    await once(child, 'close');
    signal.removeEventListener('abort', stop);
    await answers.end();
    const ended = await outcome;
    if (ended.kind === 'not-executable') return undefined;
    return ended.kind === 'executed' ? 'an empty root has a program' : `${ended.message} ${stderr}`.trim();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
