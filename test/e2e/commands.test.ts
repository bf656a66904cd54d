import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { mountsBelow, processesLeft, processesOf } from '../support/processes.js';
import { slipway } from '../support/slipway.js';
import { test, type Workspace } from '../support/workspace.js';

interface Listed {
  readonly repository?: string;
  readonly tag?: string;
  readonly digest: string;
  readonly size: number;
}

async function images(work: Workspace): Promise<readonly string[]> {
  const listed = JSON.parse((await work.run(['images', '--format', 'json'])).stdout) as readonly Listed[];
  return listed.map(({ repository = '<none>', tag = '<none>' }) => `${repository}:${tag}`).sort();
}

describe('images, inspect, history, tag, rmi', () => {
  test('name, show and remove what a build made', async ({ work }) => {
    expect(await images(work)).toEqual([]);
    work.write({ f: 'x'.repeat(5000) });
    work.dockerfile('FROM scratch\nCOPY f /f\nLABEL a=b\n');
    const built = await work.build();
    expect((await work.run(['tag', 'test', 'other/name:v1'])).code).toBe(0);
    expect(await images(work)).toEqual(['other/name:v1', 'test:latest']);
    const table = (await work.run(['images'])).stdout.trim().split('\n');
    expect(table[0]).toMatch(/^REPOSITORY +TAG +DIGEST +CREATED +SIZE$/);
    expect(table).toHaveLength(3);

    const inspected = JSON.parse((await work.run(['inspect', 'test'])).stdout) as object;
    expect(inspected).toMatchObject({ descriptor: { digest: built.stdout.trim() }, manifest: built.image.manifest });
    const history = JSON.parse((await work.run(['history', '--format', 'json', 'test'])).stdout) as object;
    expect(history).toMatchObject([
      { createdBy: 'COPY f /f # buildkit', size: built.image.manifest.layers[0]!.size, emptyLayer: false },
      { createdBy: 'LABEL a=b', size: 0, emptyLayer: true },
    ]);
    expect((await work.run(['history', 'test'])).stdout).toMatch(/COPY f \/f # buildkit/);

    expect((await work.run(['rmi', 'test'])).stdout).toBe('Untagged: test:latest\n');
    expect(await images(work)).toEqual(['other/name:v1']);
    const pinned = `app@${built.stdout.trim()}`;
    expect(await work.run(['tag', 'other/name:v1', pinned])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a digest cannot be chosen'),
    });
    const removed = await work.run(['rmi', 'other/name:v1']);
    expect(removed.stdout).toBe(`Untagged: other/name:v1\nDeleted: ${built.stdout}`);
    expect(await images(work)).toEqual([]);
    for (const verb of ['inspect', 'history', 'rmi']) {
      expect(await work.run([verb, 'test'])).toMatchObject({ code: 1, stderr: expect.stringContaining('`test`') });
    }
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test('a name that moves to a new image leaves the old one nameless', async ({ work }) => {
    work.dockerfile('FROM busybox\nENV A=1\n');
    await work.build();
    work.dockerfile('FROM busybox\nENV A=2\n');
    await work.build();
    expect(await images(work)).toEqual(['<none>:<none>', 'test:latest']);
  });
});

describe('run', () => {
  beforeEach<{ work: Workspace }>(async ({ work }) => {
    work.dockerfile(
      'FROM busybox\nENV A=1 B=2\nWORKDIR /w\nRUN chmod 777 /w\nUSER app\nENTRYPOINT ["sh", "-c"]\nCMD ["echo default $A"]\n',
    );
    await work.build();
  });

  test('the command, its environment, user, directory, output and exit code', async ({ work }) => {
    expect(await work.run(['run', 'test'])).toMatchObject({ code: 0, stdout: 'default 1\n' });
    expect(await work.run(['run', 'test', 'id -un; pwd; echo $HOME'])).toMatchObject({
      code: 0,
      stdout: 'app\n/w\n/home/app\n',
    });
    expect(await work.run(['run', 'test', 'echo out; echo err >&2; exit 7'])).toMatchObject({
      code: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    const given = await work.run([
      'run',
      '-e',
      'A=x',
      '-e',
      'C=y',
      '-u',
      'root',
      '-w',
      '/',
      'test',
      'echo $A $B $C; id -u; pwd',
    ]);
    expect(given.stdout).toBe('x 2 y\n0\n/\n');
    expect((await work.run(['run', '--entrypoint', 'echo', 'test', '-n', 'args'])).stdout).toBe(
      '-n args\n'.slice(3, -1),
    );
    expect(await work.run(['run', '--entrypoint', '/nope', 'test'])).toMatchObject({
      stderr: expect.stringContaining('/nope'),
    });
  });

  test('leaves the image as it is, and nothing mounted', async ({ work }) => {
    expect((await work.run(['run', 'test', 'echo x > /w/new && ls /w'])).stdout).toBe('new\n');
    expect((await work.run(['run', 'test', 'ls /w'])).stdout).toBe('');
    expect(mountsBelow(work.dir)).toEqual([]);
  });

  test('a process waits for whoever reads its output', async ({ work }) => {
    const megabytes = 40;
    const script = `dd if=/dev/zero bs=1M count=${megabytes} 2>/dev/null; echo written >&2`;
    const running = work.start(['run', 'test', `echo ready >&2; ${script}`]);
    running.child.stdout!.pause();
    await running.saying(/ready/);
    await sleep(1000);
    expect(running.output).not.toContain('written');
    running.child.stdout!.resume();
    const { code, stdoutBytes, stderr } = await running.ended;
    expect([code, stdoutBytes.length, stderr]).toEqual([0, megabytes * 1024 * 1024, 'ready\nwritten\n']);
  });

  test('the second Ctrl-C ends a process whose output nobody reads', async ({ work }) => {
    const word = `word-${work.dir.slice(-6)}`;
    const running = work.start(['run', 'test', `trap '' INT; echo ready ${word} >&2; cat /dev/zero`]);
    running.child.stdout!.pause();
    await running.saying(/ready/);
    await sleep(500);
    running.kill('SIGINT');
    await sleep(200);
    running.kill('SIGINT');
    const inside = async (): Promise<readonly string[]> =>
      (await processesLeft('nobody', word, 1000)).filter((one) => !one.startsWith(`${running.pid} `));
    expect(await inside()).toEqual([]);
    running.child.stdout!.resume();
    expect((await running.ended).code).not.toBe(0);
  });

  test('Ctrl-C reaches the process, which may end as it likes', async ({ work }) => {
    const word = `word-${work.dir.slice(-6)}`;
    const script = `trap 'echo caught; exit 5' INT; echo ready ${word}; while :; do sleep 0.05; done`;
    const running = work.start(['run', 'test', script]);
    await running.saying(/ready/);
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 5, stdout: `ready ${word}\ncaught\n` });
    expect(await processesLeft('nobody', word)).toEqual([]);
  });

  test('Ctrl-C in a terminal, which goes to the whole group, reaches the process once', async ({ work }) => {
    // Without a `sleep`, during which a shell takes two signals for one.
    const count = 'i=0; while [ $i -lt 1000000 ]; do i=$((i + 1)); done';
    const script = `trap 'echo caught; got=1' INT; echo ready; while [ ! "$got" ]; do :; done; ${count}`;
    const running = work.start(['run', 'test', script], { group: true });
    await running.saying(/ready/);
    process.kill(-running.pid, 'SIGINT');
    expect(await running.ended).toMatchObject({ code: 0, stdout: 'ready\ncaught\n' });
  });

  test('the second Ctrl-C ends a process that does not heed the first', async ({ work }) => {
    const word = `word-${work.dir.slice(-6)}`;
    const script = `trap '' INT TERM; echo ready ${word}; while :; do sleep 0.05; done`;
    const running = work.start(['run', 'test', script]);
    await running.saying(/ready/);
    running.kill('SIGINT');
    await sleep(200);
    expect(processesOf('nobody', word).length).toBeGreaterThan(0);
    running.kill('SIGINT');
    expect((await running.ended).code).not.toBe(0);
    expect(await processesLeft('nobody', word)).toEqual([]);
  });

  test("a server answers on this machine's network until it is stopped", async ({ work }) => {
    const port = await freePort();
    const serve = `echo hello > index.html; httpd -f -p 127.0.0.1:${port} & trap 'kill $!' TERM; wait`;
    const running = work.start(['run', 'test', serve]);
    let answer = '';
    for (let wait = 0; wait < 200 && answer === ''; wait++) {
      await sleep(25);
      answer = await fetch(`http://127.0.0.1:${port}/`).then(
        (response) => response.text(),
        () => '',
      );
    }
    expect(answer).toBe('hello\n');
    running.kill('SIGTERM');
    await running.ended;
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });
});

describe('compare', () => {
  test('shows two images side by side', async ({ work }) => {
    work.write({ big: Buffer.alloc(300_000, 1), small: 'small' });
    work.dockerfile('FROM busybox\nCOPY big small /\n');
    const before = await work.build(['-t', 'before']);
    work.dockerfile('FROM scratch\nCOPY small /\nUSER 1000\n');
    await work.build(['-t', 'after']);
    const { a, b, saved } = JSON.parse((await work.run(['compare', '--format', 'json', 'before', 'after'])).stdout) as {
      readonly a: Record<string, unknown>;
      readonly b: Record<string, unknown>;
      readonly saved: number;
    };
    expect(a).toMatchObject({ name: expect.stringContaining('before'), layers: 2, user: 'root', files: 5 });
    expect(b).toMatchObject({ layers: 1, user: '1000', files: 1, size: 2048 });
    expect(a['size']).toBeGreaterThan(before.image.manifest.layers[1]!.size);
    expect(a['buildMs']).toBeGreaterThan(0);
    expect(saved).toBeGreaterThan(0.9);
    const table = await work.run(['compare', 'before', 'after']);
    expect(table.stdout).toMatch(/size/i);
  });
});

describe('doctor', () => {
  test('tells what this machine can do', async ({ work }) => {
    const report = JSON.parse((await work.run(['doctor', '--format', 'json'])).stdout) as {
      readonly rungs: readonly { readonly name: string; readonly available: boolean; readonly reason: string }[];
      readonly chosen?: { readonly rung: string };
    };
    expect(report.chosen?.rung).toBe(process.getuid?.() === 0 ? 'root' : 'userns');
    expect(report.rungs.map(({ name }) => name)).toEqual(expect.arrayContaining(['root', 'userns', 'none']));
    for (const { reason } of report.rungs) expect(reason).not.toBe('');
    expect((await work.run(['doctor'])).stdout).toContain(`RUN uses \`${report.chosen?.rung}\``);
  });
});

describe('the command line', () => {
  test('says its version and its commands', async () => {
    expect(await slipway(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    const help = await slipway(['--help']);
    expect(help.code).toBe(0);
    for (const verb of ['build', 'images', 'run', 'compare', 'doctor']) expect(help.stdout).toContain(verb);
  });

  test('wrong usage ends with 2 and a hint', async ({ work }) => {
    for (const args of [
      ['bild', '.'],
      ['build'],
      ['build', '--nope', '.'],
      ['build', '--progress', 'x', '.'],
      ['images', '--format', 'x'],
      [],
    ]) {
      const ended = await slipway([
        ...args.slice(0, 1),
        ...(args.length > 0 ? ['--root', work.root] : []),
        ...args.slice(1),
      ]);
      expect(ended, args.join(' ')).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).not.toContain('bug');
    }
    expect((await slipway(['bild', '.'])).stderr).toContain('build');
    expect((await slipway(['push', '--nope'])).stderr).toContain('see `slipway push --help`');
    expect((await slipway(['--root', 'push', '--nope'])).stderr).toContain('see `slipway --help`');
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
