import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findProgram } from '../../src/executor/runtime.js';
import { slipwayOk } from './slipway.js';
import { makeTar, type TarSpec } from './tar.js';

/** Makes an OCI layout with a busybox image from the machine's busybox. `dir` is made; gives the layout, which is in it. */
export async function makeBusyboxLayout(dir: string): Promise<string> {
  mkdirSync(path.join(dir, 'context'), { recursive: true });
  writeFileSync(path.join(dir, 'context/rootfs.tar'), makeTar(rootFileSystem()));
  writeFileSync(
    path.join(dir, 'context/Dockerfile'),
    'FROM scratch\nADD rootfs.tar /\nENV PATH=/usr/local/bin:/bin:/usr/bin\nCMD ["sh"]\n',
  );
  const layout = path.join(dir, 'layout');
  const output = `type=oci,tar=false,dest=${layout}`;
  await slipwayOk(['build', '--root', `${dir}/store`, '-t', 'busybox', '-o', output, `${dir}/context`]);
  return layout;
}

/** A small Unix: applets, a user `app` (1000:1000), a sticky /tmp. No /run and no resolv.conf: RUN has to do without. */
function rootFileSystem(): readonly TarSpec[] {
  const program = findProgram('busybox', process.env);
  if (program === undefined) throw new Error('busybox is not installed: `npm test` installs busybox-static');
  const applets = execFileSync(program, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  return [
    { path: 'bin', type: 'dir' },
    { path: 'bin/busybox', mode: 0o755, content: readFileSync(program) },
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name): TarSpec => ({ path: `bin/${name}`, type: 'symlink', linkname: 'busybox' })),
    { path: 'dev', type: 'dir' },
    { path: 'etc', type: 'dir' },
    { path: 'etc/group', content: 'root:x:0:\nstaff:x:50:app\napp:x:1000:\n' },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' },
    { path: 'home', type: 'dir' },
    { path: 'home/app', type: 'dir', uid: 1000, gid: 1000 },
    { path: 'proc', type: 'dir' },
    { path: 'root', type: 'dir', mode: 0o700 },
    { path: 'sys', type: 'dir' },
    { path: 'tmp', type: 'dir', mode: 0o1777 },
    { path: 'usr', type: 'dir' },
    { path: 'usr/bin', type: 'dir' },
    { path: 'var', type: 'dir' },
  ];
}
