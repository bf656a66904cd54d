import { accessSync, constants, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { findProgram } from '../../src/executor/runtime.js';
import { MARK, processesLeft, processesOf } from '../support/processes.js';
import { isRoot, test } from '../support/workspace.js';

const TUN = '/dev/net/tun';

function lack(connector: string): string | undefined {
  if (findProgram(connector, process.env) === undefined) return `${connector} is not installed`;
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
  } catch {
    return `this user may not open ${TUN}`;
  }
  return undefined;
}

/** An address of this machine that is not on its loopback. */
const outside = Object.values(os.networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** A server that counts, and says `here` to whatever it is asked. */
class Here implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.asked.push(request.url ?? '');
      response.end('here\n');
    });
  }

  static async on(address: string): Promise<Here> {
    const here = new Here();
    await new Promise<void>((resolve) => here.#server.listen(0, address, resolve));
    return here;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A name server that knows one address for all names. */
class Resolver implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly #socket = createSocket('udp4');

  static async on(address: string): Promise<Resolver> {
    const resolver = new Resolver();
    resolver.#socket.on('message', (question, from) => {
      resolver.#socket.send(resolver.#answer(question), from.port, from.address);
    });
    await new Promise<void>((resolve, reject) => {
      resolver.#socket.once('error', reject);
      resolver.#socket.bind(53, address, resolve);
    });
    return resolver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #answer(question: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at]!; length > 0; length = question[at]!) {
      labels.push(question.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    this.asked.push(labels.join('.'));
    const isAddress = question.readUInt16BE(at + 1) === 1;
    const header = Buffer.from([question[0]!, question[1]!, 0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 77]);
    return Buffer.concat([header, question.subarray(12, at + 5), ...(isAddress ? [record] : [])]);
  }
}

/** Says the last line of the answer. Not `wget`: that of Debian's busybox crashes. The end of what is asked comes late: see `NAMES` in `network/connector.ts`. */
const ask = (address: string, port: number | string, path: string): string =>
  `((printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 3 ${address} ${port} | grep here || echo no answer)`;
const devicesOfMachine = (): number => readFileSync('/proc/net/dev', 'latin1').trim().split('\n').length - 2;

/** An ordinary user has the rung `userns` alone; root tries it too, with subordinate ids for what it starts. */
const rungs = isRoot ? (['root', 'userns'] as const) : (['userns'] as const);
const cases = rungs.flatMap((rung) => ['pasta', 'slirp4netns'].map((connector) => ({ rung, connector })));
const IDS = path.join(os.tmpdir(), `slipway-ids-${process.pid}`);

/** Starts a command in a mount namespace of its own, after what `script` says. As root. */
function after(script: string): readonly string[] {
  const shell = ['sh', '-c', `set -e; ${script}; exec "$@"`, 'sh'];
  return ['unshare', '--mount', '--propagation', 'private', '--', ...shell];
}

beforeAll(() => writeFileSync(IDS, 'root:500000:65536\n'));
afterAll(() => rmSync(IDS));

describe.each(cases)('a network of its own through $connector, on $rung', ({ rung, connector }) => {
  const reason = lack(connector);
  const env = { SLIPWAY_NETWORK_MODE: connector };
  const withIds =
    rung === 'userns' && isRoot ? ['subuid', 'subgid'].map((name) => `mount --bind ${IDS} /etc/${name}`) : [];
  const launcher = withIds.length === 0 ? [] : after(withIds.join('; '));
  const options = { env, launcher };
  const on = ['--isolation', rung];
  describe.skipIf(reason !== undefined)(
    reason === undefined ? 'RUN' : `(skipped: ${reason})`,
    { timeout: 120_000 },
    () => {
      test('has no way to the loopback of the machine, by any name of it', async ({ work }) => {
        await using here = await Here.on('127.0.0.1');
        const names = ['127.0.0.1', '10.0.2.2', '10.0.2.3', '0.0.0.0', '::1', '10.0.2.100'];
        const dockerfile = `FROM busybox\nRUN ${names.map((name) => `${ask(name, here.port, `/${name}`)} &`).join(' ')} wait\n`;
        work.dockerfile(dockerfile);
        const built = await work.build(on, options);
        expect(here.asked).toEqual([]);
        expect(built.stderr.match(/ no answer$/gm)).toHaveLength(names.length);
        expect(built.stderr).toContain(`network of RUN: its own, through ${connector}`);
        expect(built.stderr).toContain(`isolation: ${rung} `);
        work.dockerfile('FROM busybox\nRUN nc 127.0.0.1 1\n');
        const { stderr } = await work.tryBuild(on, options);
        expect(stderr).toContain("hint: `127.0.0.1` is the step's own here; if a server on this machine is meant");
        work.dockerfile(dockerfile);
        const open = await work.build([...on, '--network=host', '--no-cache'], options);
        expect(here.asked).toContain('/127.0.0.1');
        expect(open.stderr).toMatch(/ here$/m);
      });

      test.skipIf(outside === undefined)('reaches other addresses', async ({ work }) => {
        await using here = await Here.on(outside!);
        work.dockerfile(`FROM busybox\nRUN ${ask(outside!, here.port, '/')}; ls /sys/class/net | sort\n`);
        const built = await work.build(on, options);
        expect(built.stderr).toMatch(/ here$/m);
        expect(built.stderr.match(/ lo$/gm)).toHaveLength(1);
      });

      test('is one for each of two that run at once: both may have the same port', async ({ work }) => {
        const stage = (own: string, other: string): string => `FROM busybox AS ${own}
RUN --mount=type=cache,target=/m,id=meet nc -l -p 4567 & sleep 0.3; netstat -ltn | grep -c 4567; touch /m/${own}; \
  for i in $(seq 200); do [ -e /m/${other} ] && break; sleep 0.05; done; ls /m/${other} && jobs -l | wc -l; touch /${own}
`;
        work.dockerfile(
          `${stage('one', 'two')}${stage('two', 'one')}FROM busybox\nCOPY --from=one /one /\nCOPY --from=two /two /\n`,
        );
        const built = await work.build(on, options);
        expect(built.stderr.match(/ \/m\/(one|two)$/gm)).toHaveLength(2);
        expect(built.stderr).not.toMatch(/in use/);
      });

      test.skipIf(!isRoot || findProgram('unshare', process.env) === undefined)(
        "asks the machine's resolver, though that listens on the loopback",
        async ({ work }) => {
          const address = '127.77.0.53';
          await using resolver = await Resolver.on(address);
          writeFileSync(work.path('resolv.conf'), `nameserver ${address}\nsearch inside.test\noptions timeout:2\n`);
          work.dockerfile('FROM busybox\nRUN cat /etc/resolv.conf; nslookup -type=a some.name.test\n');
          const bind = `mount --bind ${work.path('resolv.conf')} /etc/resolv.conf`;
          const ended = await work.tryBuild(on, { env, launcher: after([...withIds, bind].join('; ')) });
          expect(ended.code, ended.output).toBe(0);
          expect(ended.stderr).toMatch(/ search inside\.test$/m);
          expect(ended.stderr).not.toContain(`nameserver ${address}`);
          expect(ended.stderr).toContain('192.0.2.77');
          expect(resolver.asked).toContain('some.name.test');
        },
      );

      test('costs no key: what ran in another network is cached', async ({ work }) => {
        work.dockerfile('FROM busybox\nRUN touch /x\n');
        await work.build(on, { env: { SLIPWAY_NETWORK_MODE: 'host' }, launcher });
        expect((await work.build(on, options)).ran).toEqual([]);
      });

      test('leaves no process, and one that breaks fails the RUN whatever that says', async ({ work }) => {
        const mark = `mark-${path.basename(work.dir)}`;
        work.dockerfile('FROM busybox\nRUN touch /quick\nRUN echo up; sleep 2; echo end\n');
        const running = work.startBuild(on, { env: { ...env, [MARK]: mark }, launcher });
        await running.saying(/ up$/m);
        const connectors = processesOf(mark, work.dir).filter((line) =>
          new RegExp(`^\\d+ \\S*${connector}\\b`).test(line),
        );
        expect(connectors.length).toBeGreaterThan(0);
        for (const line of connectors) process.kill(Number.parseInt(line, 10), 'SIGKILL');
        const ended = await running.ended;
        expect(ended).toMatchObject({
          code: 1,
          stderr: expect.stringContaining(`\`${connector}\` gives RUN no network: `),
        });
        expect(await processesLeft(mark, work.dir)).toEqual([]);
        const again = await work.build(on, { env: { ...env, [MARK]: mark }, launcher });
        expect(again.ran).toEqual(['RUN echo up; sleep 2; echo end']);
        expect(await processesLeft(mark, work.dir)).toEqual([]);
      });

      test('gives way to the network of the machine for a proxy on its loopback, and says so', async ({ work }) => {
        await using proxy = await Here.on('127.0.0.1');
        work.dockerfile(
          `FROM busybox\nRUN ${ask('127.0.0.1', '${http_proxy##*:}', 'http://somewhere.invalid/file')}\n`,
        );
        const args = ['--build-arg', `http_proxy=http://user:secret@localhost:${proxy.port}`];
        const kept = await work.build([...on, ...args, '--no-cache'], options);
        expect(kept.stderr).toMatch(/ no answer$/m);
        const auto = await work.build([...on, ...args, '--no-cache'], { launcher });
        expect(proxy.asked).toEqual(['http://somewhere.invalid/file']);
        expect(auto.stderr).toMatch(/ here$/m);
        const said = `RUN has the network of this machine: its proxy localhost:${proxy.port} is on the loopback`;
        expect(auto.stderr).toContain(said);
        expect(auto.stderr).not.toContain('secret');
      });

      test('is what doctor says', async ({ work }) => {
        const { stdout } = await work.run(['doctor', ...on], options);
        expect(stdout).toContain(`\nRUN has a network of its own, through ${connector}\n`);
      });
    },
  );
});

describe.each(['pasta', 'slirp4netns'])('on userns-single through %s', (connector) => {
  const reason = lack(connector);
  test.skipIf(reason !== undefined)(`doctor finds that it works ${reason ?? ''}`, async ({ work, skip }) => {
    const { stdout } = await work.run(['doctor', '--isolation', 'userns-single'], {
      env: { SLIPWAY_NETWORK_MODE: connector },
    });
    skip(!stdout.includes('RUN uses `userns-single`'), stdout);
    expect(stdout).toContain(`\nRUN has a network of its own, through ${connector}\n`);
  });
});

describe('where no connector works', () => {
  /** A folder with connectors that do not. */
  const broken = (dir: string): string => {
    for (const name of ['pasta', 'slirp4netns']) {
      writeFileSync(path.join(dir, name), `#!/bin/sh\necho "no ${name} today" >&2\nexit 1\n`, { mode: 0o755 });
    }
    return `${dir}:${process.env['PATH']}`;
  };
  const dockerfile = 'FROM busybox\nRUN echo "devices: $(tail -n +3 /proc/net/dev | wc -l)"\n';

  test('RUN has the network of the machine, with a warning that says why', async ({ work }) => {
    work.dockerfile(dockerfile);
    const built = await work.build([], { env: { PATH: broken(work.dir) } });
    expect(built.stderr).toContain(`devices: ${devicesOfMachine()}`);
    expect(built.stderr).toMatch(
      /warning: RUN has the network of this machine: .*no slirp4netns today.*no pasta today/,
    );
  });

  test('a connector that was asked for is an error', async ({ work }) => {
    work.dockerfile(dockerfile);
    const env = { PATH: broken(work.dir), SLIPWAY_NETWORK_MODE: 'pasta' };
    const ended = await work.tryBuild([], { env });
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('gives RUN no network: no pasta today') });
    expect(ended.stderr).toContain('--network=host');
    expect((await work.build(['--network=none'], { env })).stderr).toContain('devices: 1');
    const doctor = await work.run(['doctor'], { env });
    expect(doctor.stdout).toContain('RUN without `--network` fails: `pasta` gives RUN no network: no pasta today');
  });

  test.skipIf(!isRoot)(
    'nor on chroot, which has no namespaces: there it is an error at the first RUN',
    async ({ work }) => {
      work.dockerfile(dockerfile);
      const auto = await work.build(['--isolation=chroot']);
      expect(auto.stderr).toContain("network of RUN: this machine's (there are no namespaces here)");
      const env = { SLIPWAY_NETWORK_MODE: 'slirp4netns' };
      const forced = await work.tryBuild(['--isolation=chroot', '--no-cache'], { env });
      expect(forced).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('`slirp4netns` cannot give RUN a network'),
      });
    },
  );

  test('a mode that there is not is an error', async ({ work }) => {
    work.dockerfile(dockerfile);
    const ended = await work.tryBuild([], { env: { SLIPWAY_NETWORK_MODE: 'cni' } });
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown network mode `cni`') });
    expect(ended.stderr).toContain('auto, host, pasta, slirp4netns');
  });
});
