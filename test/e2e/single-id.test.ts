import { describe, expect } from 'vitest';
import { whyNotRung } from '../support/rung.js';
import { makeTar } from '../support/tar.js';
import { test, type Workspace } from '../support/workspace.js';

const single = ['--isolation', 'userns-single'];
const env = { SOURCE_DATE_EPOCH: '1700000000' };

/** The layers of the same Dockerfile on the rung that the machine's user has, and with one id. */
async function onBoth(work: Workspace, dockerfile: string): Promise<readonly [readonly string[], readonly string[]]> {
  work.dockerfile(dockerfile);
  const output = ['-o', `type=oci,rewrite-timestamp=true,dest=${work.path('image.tar')}`];
  const best = await work.build([...output, '--no-cache'], { env }, work.path('best'));
  const one = await work.build([...output, '--no-cache', ...single], { env }, work.path('one'));
  expect(one.stderr).toContain('isolation: userns-single');
  return [best.diffIds, one.diffIds];
}

/** `cap_net_raw=ep`, version 2. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const CAPABILITY = 'security.capability';

/** Files of others. */
const others = makeTar([
  { path: 'o', type: 'dir', uid: 7, gid: 8, mode: 0o755 },
  { path: 'o/f', content: 'f', uid: 1000, gid: 1000, mode: 0o640 },
  { path: 'o/able', content: 'a', uid: 1000, gid: 1000, mode: 0o755, xattrs: new Map([[CAPABILITY, NET_RAW]]) },
  { path: 'o/zero', content: 'zero', uid: 1000, gid: 50, mode: 0 },
  { path: 'o/setuid', content: 's', uid: 1000, gid: 1000, mode: 0o4755 },
  { path: 'o/link', type: 'symlink', linkname: 'f', uid: 1000, gid: 1000 },
  { path: 'o/hard', type: 'hardlink', linkname: 'o/f', uid: 1000, gid: 1000, mode: 0o640 },
  { path: 'o/d', type: 'dir', uid: 1000, gid: 1000, mode: 0o1777 },
  { path: 'o/group', type: 'dir', uid: 0, gid: 50, mode: 0o2775 },
  { path: 'o/d/x', content: 'x', uid: 1000, gid: 1000 },
]);

const whyNot = await whyNotRung('userns-single');

describe.skipIf(whyNot !== undefined)(`a user namespace with one id ${whyNot ? `(${whyNot})` : ''}`, () => {
  test('gives the same layers', async ({ work }) => {
    work.write({ 'others.tar': others, file: 'content' });
    const [best, one] = await onBoth(
      work,
      `FROM busybox AS made
RUN echo made > /made && mkdir -p /a/b && ln -s made /link && ln /made /hard && chmod 4755 /made && mkfifo /fifo
FROM busybox
ADD others.tar /
COPY --chown=1000:50 file /home/app/file
COPY --from=made / /made
COPY --link --chown=1000:50 file /linked/file
WORKDIR /w/x
RUN touch /home/app/file && chmod 600 /o/f && echo more >> /o/zero && chmod 755 /o/setuid && touch /o/able /linked/file
RUN mv /o/link /o/moved && mv /home/app/file /home/app/renamed && rm -r /o/d && echo new > /o/new
RUN mv /o/moved /again && ln /home/app/renamed /o/other-name && echo "$(cat /o/f)" > /copy
COPY --from=made --chown=app /made /o/
`,
    );
    expect(one).toEqual(best);
  });

  /** What a process does to a file of 1000, and it shows nowhere that it means the owner, or does not. */
  test.for([
    ['chown root:root /o/f', '`/o/f` was touched and is as before'],
    ['chown -h root:root /o/link', '`/o/link` was touched and is as before'],
    ['chown root:root /o/d', '`/o/d` was touched and is as before'],
    ['sed -i s/f/g/ /o/f', '`/o/f` was replaced or written anew'],
    ['rm /o/f && echo f > /o/f', '`/o/f` was replaced or written anew'],
    ['ln -sf f /o/link', '`/o/link` was '], // replaced, or with fuse-overlayfs touched
    ['cp -p /o/f /copy', '`/copy` seems to be a copy of `/o/f` with its owner'],
    ['cp -a /o/d /copy', '`/copy` seems to be a copy of `/o/d` with its owner'],
    ['echo > /o/group/new', '`/o/group/new` is new in a directory that gives its group to what is made in it'],
  ] as const)('refuses what would be a guess: %s', async ([command, message], { work }) => {
    work.write({ 'others.tar': others });
    work.dockerfile(`FROM busybox\nADD others.tar /\nRUN ${command}\nRUN true\n`);
    const refused = await work.tryBuild(single);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('>>> RUN');
    expect(refused.stderr).toContain(message);
    expect(refused.stderr).toMatch(/hint: more than one id is needed: install `newuidmap` .*usermod --add-subuids/);
  });

  test('takes what is certain for what it is', async ({ work }) => {
    work.write({ 'others.tar': others });
    const [best, one] = await onBoth(
      work,
      `FROM busybox
ADD others.tar /
RUN cp /o/f /copy && cp /o/link /link && rm -r /o/d && mkdir /o/d && chmod 700 /o/group && rm /o/hard
RUN mkdir /o/n && cp -p /bin/busybox /o/n/ && rm /o/zero && mv /o/setuid /o/n/
`,
    );
    expect(one).toEqual(best);
  });

  test('cannot give files to others, nor run as them, and says how to', async ({ work }) => {
    work.dockerfile('FROM busybox\nRUN touch /f && chown 1000 /f\n');
    const chown = await work.tryBuild(single);
    expect(chown.code).toBe(1);
    expect(chown.stderr).toMatch(/>>> RUN touch[^]*hint: .*`newuidmap`/);
    work.dockerfile('FROM busybox\nRUN touch /f && (chown 1000 /f || true)\n');
    expect((await work.build(single)).stderr).toMatch(/slipway: warning: an owner could not be changed with one id/);
    work.dockerfile('FROM busybox\nRUN touch /f && chown 0:0 /f\n');
    expect((await work.build(single)).stderr).not.toContain('slipway: warning');
    work.dockerfile('FROM busybox\nUSER app\nRUN touch /must-not-run\n');
    const user = await work.tryBuild(single);
    expect(user.code).toBe(1);
    expect(user.stderr).toMatch(/>>> RUN touch \/must-not-run[^]*runs processes as 0:0 only, and not as 1000:1000/);
    work.write({ secret: 'the secret' });
    work.dockerfile('FROM busybox\nRUN --mount=type=secret,id=s,uid=1000 true\n');
    const secret = await work.tryBuild([...single, '--secret', `id=s,src=${work.path('context/secret')}`]);
    expect(secret.code).toBe(1);
    expect(secret.stderr).toMatch(/a mount of a RUN is to belong to 1000:0, and there is one id only/);
  });

  test('lends secrets, caches and mounts', async ({ work }) => {
    work.write({ secret: 'the secret' });
    work.dockerfile(`FROM busybox
RUN --mount=type=secret,id=s,mode=0 --mount=type=cache,target=/c,uid=1000,mode=0700 \\
  --mount=type=bind,from=busybox,source=/home,target=/m,rw --mount=type=tmpfs,target=/t --network=none \\
  --mount=type=secret,id=s,target=/home/app/secret \\
  cat /run/secrets/s > /read && echo c > /c/f && touch /m/app/x /t/y && tty; ls -ld /dev/pts /m/app
`);
    const built = await work.build([...single, '--secret', `id=s,src=${work.path('context/secret')}`]);
    expect(built.text('read')).toBe('the secret');
    expect(built.lastLayer).toEqual(['read']);
  });
});
