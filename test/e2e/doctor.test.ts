import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { isRoot, test, type Workspace } from '../support/workspace.js';

interface Report {
  readonly rungs: readonly { readonly name: string; readonly obstacle?: string; readonly reason: string }[];
  readonly findings: readonly { readonly code: string; readonly rungs: readonly string[] }[];
  readonly chosen?: { readonly rung: string; readonly trees: string };
}

/** `slipway doctor` about one rung, started by a program. `text` runs it again, for what people are told. */
async function ask(
  work: Workspace,
  rung: string,
  launcher: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ report: Report; codes: readonly string[]; text: () => Promise<string>; code: number | null }> {
  const args = ['doctor', '--isolation', rung];
  const { stdout, code, output } = await work.run([...args, '--format', 'json'], { launcher, env });
  expect(stdout, output).toMatch(/^\{/);
  const report = JSON.parse(stdout) as Report;
  const text = async (): Promise<string> => (await work.run(args, { launcher, env })).stdout;
  return { report, text, code, codes: report.findings.map((one) => one.code) };
}

/** A shell in a mount namespace of its own that does something and then starts the rest of its arguments. */
function after(script: string, unshare: readonly string[] = []): readonly string[] {
  const shell = ['sh', '-c', `set -e; ${script}; exec "$@"`, 'sh'];
  return ['unshare', '--mount', '--propagation', 'private', ...unshare, ...shell];
}

/** Makes /etc/subuid and /etc/subgid say that root has ids, for what follows in a script. */
function withIds(work: Workspace): string {
  writeFileSync(work.path('ids'), 'root:300000:65536\n');
  return `mount --bind ${work.path('ids')} /etc/subuid; mount --bind ${work.path('ids')} /etc/subgid`;
}

describe.skipIf(!isRoot)('doctor, on a machine that is changed for it (needs root)', () => {
  test('tells a rung that it can have from the same one without something', async ({ work }) => {
    const { code, codes, report } = await ask(work, 'userns', after(withIds(work)));
    expect({ code, codes }).toEqual({ code: 0, codes: [] });
    expect(report.chosen).toMatchObject({ rung: 'userns', trees: 'overlay' });
  });

  test('no subordinate ids', async ({ work }) => {
    const { code, codes, text } = await ask(work, 'userns', after('mount --bind /dev/null /etc/subuid'));
    expect({ code, codes }).toEqual({ code: 1, codes: ['subordinate-ids'] });
    expect(await text()).toMatch(/usermod --add-subuids \d+-\d+ --add-subgids \d+-\d+ root\n/);
  });

  test('no newuidmap', async ({ work }) => {
    const hidden = `${withIds(work)}; mount --bind /dev/null "$(command -v newuidmap)"`;
    const { codes, text } = await ask(work, 'userns', after(hidden));
    expect(codes).toEqual(['id-programs']);
    expect(await text()).toContain('apt-get install uidmap');
  });

  test('newuidmap without the capability that it needs', async ({ work }) => {
    const launcher = [...after(withIds(work)), 'setpriv', '--bounding-set', '-setuid', '--inh-caps', '-setuid'];
    const { codes, report } = await ask(work, 'userns', launcher);
    expect(report.rungs.find(({ name }) => name === 'userns')).toMatchObject({ obstacle: 'ids' });
    expect(codes).toContain('setuid-capability');
  });

  test('no user namespaces left', async ({ work }) => {
    const none = `${withIds(work)}; echo 0 > /proc/sys/user/max_user_namespaces`;
    const { codes, text } = await ask(work, 'userns', after(none, ['--user', '--map-root-user']));
    expect(codes).toEqual(['userns-max']);
    expect(await text()).toContain('sysctl -w user.max_user_namespaces=');
  });

  test('parts of /proc that are hidden', async ({ work }) => {
    const { codes, report } = await ask(
      work,
      'userns',
      after(`${withIds(work)}; mount --bind /dev/null /proc/version`),
    );
    expect(report.rungs.find(({ name }) => name === 'userns')).toMatchObject({
      obstacle: 'proc',
      reason: expect.stringContaining('/proc'),
    });
    expect(codes).toEqual(['proc-masked']);
  });

  test('root without SYS_ADMIN', async ({ work }) => {
    const launcher = ['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];
    const { codes, report } = await ask(work, 'root', launcher);
    expect(codes).toEqual(['sys-admin']);
    expect(report.chosen).toBeUndefined();
  });

  test('a seccomp filter, in a container', async ({ work }) => {
    const launcher = inContainer(work, withIds(work));
    const { codes, code } = await ask(work, 'userns', launcher);
    expect({ code, codes }).toEqual({ code: 1, codes: ['seccomp'] });
  });

  test('root of a user namespace that has one id', async ({ work }) => {
    const { codes, report } = await ask(work, 'root', ['unshare', '--user', '--map-root-user']);
    expect(report.rungs[0]).toMatchObject({ name: 'root', obstacle: 'ids' });
    expect(codes).toEqual(['nested-ids']);
  });

  test('no OCI runtime', async ({ work }) => {
    const hidden = 'for name in crun runc; do mount --bind /dev/null "$(command -v $name)"; done';
    const { codes, text } = await ask(work, 'root', after(hidden));
    expect(codes).toEqual(['runtime']);
    expect(await text()).toContain('apt-get install crun');
  });

  test('a store on overlayfs, and a fuse-overlayfs that is asked for and not there', async ({ work }) => {
    for (const name of ['l', 'u', 'w']) mkdirSync(work.path(name));
    mkdirSync(work.root);
    const options = `lowerdir=${work.path('l')},upperdir=${work.path('u')},workdir=${work.path('w')}`;
    const overlay = `mount -t overlay overlay -o ${options} ${work.root}`;
    const { codes, report, text } = await ask(work, 'root', after(overlay));
    expect(codes).toEqual(['overlay-store']);
    expect(await text()).toContain('overlayfs cannot be mounted on overlay');
    expect(report.chosen?.trees).toBe('plain');
    const hidden = 'mount --bind /dev/null "$(command -v fuse-overlayfs)"; export SLIPWAY_SNAPSHOTTER=fuse-overlayfs';
    const asked = await ask(work, 'root', after(hidden));
    expect(asked.codes).toEqual(['fuse-overlayfs']);
    expect(asked.report.chosen).toBeUndefined();
  });
});

describe.skipIf(isRoot)('doctor, as an ordinary user', () => {
  test('no new privileges', async ({ work }) => {
    const { codes, report } = await ask(work, 'userns', ['setpriv', '--no-new-privs']);
    expect(report.rungs.find(({ name }) => name === 'userns')).toMatchObject({ obstacle: 'ids' });
    expect(codes).toContain('no-new-privileges');
  });
});

/** Starts a command by an OCI runtime, with a filter like Docker's: no new namespaces and no mounts. */
function inContainer(work: Workspace, script: string): readonly string[] {
  const bundle = work.path('bundle');
  mkdirSync(`${bundle}/rootfs`, { recursive: true });
  const all = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_CHROOT'];
  const config = {
    ociVersion: '1.0.2',
    process: {
      cwd: process.cwd(),
      args: [],
      env: [`PATH=${process.env['PATH']}`, 'HOME=/root', 'SLIPWAY_OFFLINE=1'],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: all, effective: all, permitted: all },
    },
    root: { path: 'rootfs' },
    mounts: [],
    linux: {
      namespaces: [{ type: 'mount' }],
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['unshare', 'mount', 'setns'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
      },
    },
  };
  writeFileSync(`${bundle}/config.template`, JSON.stringify(config));
  const start = work.path('start');
  const edit = `const c=JSON.parse(require('fs').readFileSync('${bundle}/config.template'));c.process.args=process.argv.slice(1);require('fs').writeFileSync('${bundle}/config.json',JSON.stringify(c))`;
  writeFileSync(
    start,
    `#!/bin/sh\nset -e\n${script}\nmount --rbind / ${bundle}/rootfs\n` +
      // Of its own: runc makes links and devices in it, which are not for this machine.
      `mount -t tmpfs tmpfs ${bundle}/rootfs/dev\n"${process.execPath}" -e "${edit}" -- "$@"\n` +
      `exec runc --root ${work.path('state')} run --bundle ${bundle} slipway-doctor-$$\n`,
  );
  chmodSync(start, 0o755);
  return ['unshare', '--mount', '--propagation', 'private', start];
}
