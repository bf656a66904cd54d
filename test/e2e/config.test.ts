import { describe, expect } from 'vitest';
import { layoutFaults } from '../support/check-layout.js';
import { test } from '../support/workspace.js';

describe('the image config', () => {
  test('has what ENV, WORKDIR, USER, EXPOSE, CMD, ENTRYPOINT, SHELL, LABEL, VOLUME, STOPSIGNAL, HEALTHCHECK say', async ({
    work,
  }) => {
    work.dockerfile(`FROM busybox
ENV A=1 B="two words"
ENV C $A-\${B}
WORKDIR /srv
WORKDIR app
USER app:staff
EXPOSE 80 53/udp
LABEL one=1 "two words"="a b"
VOLUME /data
VOLUME ["/json"]
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=1m --retries=2 CMD wget -q localhost
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["server", "--port"]
CMD serve $A
`);
    const built = await work.build(['--label', 'extra=3']);
    expect(built.config).toEqual({
      Env: ['PATH=/usr/local/bin:/bin:/usr/bin', 'A=1', 'B=two words', 'C=1-two words'],
      WorkingDir: '/srv/app',
      User: 'app:staff',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Labels: { one: '1', 'two words': 'a b', extra: '3' },
      Volumes: { '/data': {}, '/json': {} },
      StopSignal: 'SIGQUIT',
      Healthcheck: { Test: ['CMD-SHELL', 'wget -q localhost'], Interval: 5e9, Timeout: 60e9, Retries: 2 },
      Shell: ['/bin/sh', '-ec'],
      Entrypoint: ['server', '--port'],
      Cmd: ['/bin/sh', '-ec', 'serve $A'],
      ArgsEscaped: true,
    });
    expect(built.owner('srv/app')).toBe('755 0:0');
    expect(built.hadWorker).toBe(false);
    expect(await layoutFaults(work.root)).toEqual([]);
  });

  test('ARG before FROM, in a stage, from --build-arg and from the environment', async ({ work }) => {
    work.dockerfile(`ARG BASE=scratch
ARG TAG=nothing
FROM \${BASE} AS one
ARG TAG
ARG OWN=default
ARG GIVEN=default
ARG ENVIRONMENT
ENV ALL=$TAG,$OWN,$GIVEN,$ENVIRONMENT,\${UNSET:-none}
RUN test "$OWN" = default && echo "$GIVEN" > /given
FROM one
ENV INHERITED=$OWN
`);
    const args = ['--build-arg', 'BASE=busybox', '--build-arg', 'GIVEN=g=h', '--build-arg', 'ENVIRONMENT'];
    const built = await work.build(args, { env: { ENVIRONMENT: 'from outside' } });
    expect(built.config.Env).toContain('ALL=nothing,default,g=h,from outside,none');
    expect(built.config.Env).toContain('INHERITED=default');
    expect(built.text('given')).toBe('g=h\n');
  });

  test('is inherited from the base, and the history goes on', async ({ work }) => {
    work.dockerfile('FROM busybox\nENV X=1\nRUN echo 1 > /one\nLABEL a=b\n');
    const built = await work.build();
    const { history = [], rootfs } = built.image.config;
    expect(built.config.Cmd).toEqual(['sh']);
    expect(history.map((entry) => entry.created_by)).toEqual([
      'ADD rootfs.tar / # buildkit',
      'ENV PATH=/usr/local/bin:/bin:/usr/bin',
      'CMD ["sh"]',
      'ENV X=1',
      'RUN /bin/sh -c echo 1 > /one # buildkit',
      'LABEL a=b',
    ]);
    expect(history.filter((entry) => !entry.empty_layer)).toHaveLength(rootfs.diff_ids.length);
  });

  test('--target, -f from elsewhere and from stdin', async ({ work }) => {
    work.write({ f: 'f' });
    work.dockerfile('FROM scratch AS first\nCOPY f /first\nFROM scratch AS second\nCOPY f /second\n');
    const first = await work.build(['--target', 'first']);
    expect([...first.tree.keys()]).toEqual(['first']);
    work.write({ 'sub/my.Dockerfile': 'FROM scratch\nCOPY f /other\n' }, work.dir);
    const other = await work.build(['-f', work.path('sub/my.Dockerfile')]);
    expect([...other.tree.keys()]).toEqual(['other']);
    const stdin = await work.build(['-f', '-'], { input: 'FROM scratch\nCOPY f /stdin\n' });
    expect([...stdin.tree.keys()]).toEqual(['stdin']);
  });

  test('a stage that the target does not need is not built; stages that do not depend on each other overlap', async ({
    work,
  }) => {
    work.dockerfile(`FROM busybox AS unused
RUN exit 1
FROM busybox AS left
RUN : left && cut -d ' ' -f 1 /proc/uptime > /start && sleep 1 && cut -d ' ' -f 1 /proc/uptime > /end
FROM busybox AS right
RUN : right && cut -d ' ' -f 1 /proc/uptime > /start && sleep 1 && cut -d ' ' -f 1 /proc/uptime > /end
FROM scratch
COPY --from=left /start /end /left/
COPY --from=right /start /end /right/
`);
    const built = await work.build();
    const time = (file: string): number => Number(built.text(file));
    expect(time('left/start')).toBeLessThan(time('right/end'));
    expect(time('right/start')).toBeLessThan(time('left/end'));
    expect(built.stderr).not.toContain('unused');
  });
});
