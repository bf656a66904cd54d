import path from 'node:path';
import { packageRoot } from '../../src/base/package-root.js';
import type { Outcome } from './buildkit.js';
import type { BuildRequest } from './request.js';
import { runProgram } from './run-program.js';

/** Variables of the caller that would change what a build does. */
const OWN = /^(SLIPWAY_|SOURCE_DATE_EPOCH$|BUILDKIT_)/;

/** Builds with `bin/slipway` into an OCI layout, which is made; `root` is its store. */
export async function buildWithSlipway(request: BuildRequest, layout: string, root: string): Promise<Outcome> {
  const output = `type=oci,tar=false,rewrite-timestamp=true,compression=uncompressed,dest=${layout}`;
  const args = [
    'build',
    '--root',
    root,
    '--progress',
    'plain',
    '--offline',
    '--no-cache',
    '--output',
    output,
    ...flags(request),
  ];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN.test(name)));
  const bin = path.join(packageRoot(), 'bin/slipway');
  const ended = await runProgram(process.execPath, [bin, ...args, request.contextDir], env);
  return { failure: ended.code === 0 ? undefined : ended.stderr.trim() };
}

function flags(request: BuildRequest): readonly string[] {
  const options: [flag: string, value: string | undefined][] = [
    ['file', request.file],
    ['target', request.target],
    ['platform', request.platform],
    ['network', request.network],
    ['shm-size', request.shmSize],
    ['ulimit', request.ulimit],
    ...Object.entries(request.buildArgs).map(([name, value]): [string, string] => ['build-arg', `${name}=${value}`]),
    ...Object.entries(request.labels).map(([name, value]): [string, string] => ['label', `${name}=${value}`]),
    ...request.allow.map((right): [string, string] => ['allow', right]),
    ...[...request.secrets].map(([id, file]): [string, string] => ['secret', `id=${id},src=${file}`]),
    ...[...request.bases].map(([name, dir]): [string, string] => ['build-context', `${name}=oci-layout://${dir}`]),
    ...[...request.contexts].map(([name, dir]): [string, string] => ['build-context', `${name}=${dir}`]),
  ];
  return options.flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}=${value}`]));
}
