import { chmod, mkdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';

export const name = 'busybox';

/** Folders that programs expect though the package puts nothing there. */
const FOLDERS = { dev: 0o755, home: 0o755, root: 0o700, tmp: 0o1777, 'usr/sbin': 0o755, 'var/spool/mail': 0o755 };

export async function prepare({ context, debian, run }) {
  await debian('package.tar', { packages: ['busybox-static'], extractOnly: true });
  const rootfs = path.join(context, 'rootfs');
  await mkdir(path.join(rootfs, 'usr/bin'), { recursive: true });
  await run('tar', ['-xpf', 'package.tar', '--no-same-owner', '-C', rootfs, './bin/busybox']);
  await rm(path.join(context, 'package.tar'));
  // The package is for this machine's processor, so it can say itself which commands it has.
  const applets = (await run(path.join(rootfs, 'bin/busybox'), ['--list'])).trim().split('\n');
  for (const applet of applets.filter((applet) => applet !== 'busybox')) {
    await symlink('busybox', path.join(rootfs, 'bin', applet));
  }
  await symlink('../../bin/env', path.join(rootfs, 'usr/bin/env')); // where `#!` lines look for it
  for (const [folder, mode] of Object.entries(FOLDERS)) {
    await mkdir(path.join(rootfs, folder), { recursive: true });
    await chmod(path.join(rootfs, folder), mode);
  }
}
