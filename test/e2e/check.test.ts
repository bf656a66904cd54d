import { describe, expect } from 'vitest';
import { test } from '../support/workspace.js';

const FILE = 'FROM busybox as one\nWORKDIR app\nFROM scratch\nCOPY --from=one /bin/busybox /\n';

describe('checks', () => {
  test('`check` prints what buildx prints, builds nothing, and needs no base image', async ({ work }) => {
    work.dockerfile(FILE);
    const { code, stdout, stderr } = await work.run(['check', work.context]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Check complete, 2 warnings have been found!\n\nWARNING: FromAsCasing - https:/);
    expect(stdout).toContain('\n   2 | >>> WORKDIR app\n');
    expect(stderr).toContain('the base `busybox` is not here');
  });

  test('a file without faults is told so, and JSON is JSON', async ({ work }) => {
    work.dockerfile('FROM scratch\nCOPY . /\n');
    const plain = await work.run(['check', work.context]);
    expect([plain.code, plain.stdout]).toEqual([0, 'Check complete, no warnings found.\n']);
    const json = await work.run(['lint', '--format', 'json', work.context]);
    expect(JSON.parse(json.stdout)).toMatchObject({ warnings: [], sources: [{ language: 'Dockerfile' }] });
    expect(json.code).toBe(0);
  });

  test('`build --check` wants the bases; `--call` outlines and lists', async ({ work }) => {
    work.dockerfile(FILE);
    const checked = await work.tryBuild(['--check']);
    expect(checked.code).toBe(1);
    expect(checked.stdout).toContain('WARNING: WorkdirRelativePath');
    const missing = await work.run(['build', '--check', work.context]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('busybox: failed to resolve source metadata');
    const targets = await work.tryBuild(['--call=targets']);
    expect([targets.code, targets.stdout]).toEqual([0, 'TARGET    DESCRIPTION\none       \n(default) \n']);
    const outline = await work.tryBuild(['--call=outline,format=json', '--target', 'one']);
    expect(JSON.parse(outline.stdout)).toMatchObject({ name: 'one' });
  });

  test('a build counts its warnings at the end, and fails where the file wants that', async ({ work }) => {
    work.dockerfile(FILE);
    const built = await work.tryBuild();
    expect(built.code).toBe(0);
    // Of the stages that are built only, so with `one`.
    expect(built.stderr).toContain('\n 2 warnings found (use `slipway check` to expand):\n - FromAsCasing: ');
    work.dockerfile(`# check=error=true;skip=FromAsCasing\n${FILE}`);
    const failed = await work.tryBuild();
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('lint violation found for rules: WorkdirRelativePath\n');
    const skipped = await work.tryBuild(['--build-arg', 'BUILDKIT_DOCKERFILE_CHECK=skip=all;error=true']);
    expect(skipped.code).toBe(0);
    expect(skipped.stderr).not.toContain('warning');
  });
});
