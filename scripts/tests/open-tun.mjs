import { existsSync, statSync } from 'node:fs';

const TUN = '/dev/net/tun';

/**
 * What starts a command as an ordinary user who may open /dev/net/tun, as on any distribution, though this machine has it
 * for root alone: in a mount namespace of its own, where a device node for all lies over it. `dir` is an empty directory.
 * Undefined where nothing need be done, or nothing can.
 */
export function withOpenTun({ uid, gid }, dir) {
  if (!existsSync(TUN) || (statSync(TUN).mode & 0o006) === 0o006) return undefined;
  const script = [
    'set -e',
    'mount -t tmpfs -o mode=755 tmpfs "$1"',
    'mknod "$1/tun" c 10 200',
    'chmod 666 "$1/tun"',
    `mount --bind "$1/tun" ${TUN}`,
    'shift',
    'exec "$@"',
  ].join('\n');
  const user = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'];
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh', dir, ...user];
}
