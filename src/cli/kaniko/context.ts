import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../base/errors.js';
import type { BuildOptions } from '../../build/index.js';
import { parseBool } from '../../dockerfile/go-text.js';
import type { GivenFlags } from './parse-flags.js';

const BLOB_STORAGE =
  /^https:\/\/[^/]+\.blob\.(?:core\.windows\.net|core\.chinacloudapi\.cn|core\.cloudapi\.de|core\.usgovcloudapi\.net)\//;
const FORMS = 'take a directory, dir://, tar://, git:// or https://';

/**
 * The context and the Dockerfile that the flags mean. A Dockerfile is looked for where the command runs, then in the
 * context; that of a remote context is in the context. Throws USAGE, UNSUPPORTED.
 */
export function contextOf(flags: GivenFlags, env: NodeJS.ProcessEnv): Pick<BuildOptions, 'context' | 'file'> {
  const given = flags.text('context') ?? '/workspace/';
  const subPath = flags.text('context-sub-path');
  const file = flags.text('dockerfile');
  if (file !== undefined && /^https?:\/\//.test(file)) {
    throw new BuildError('UNSUPPORTED', `the Dockerfile \`${file}\` is a URL`, {
      hint: 'fetch it in a step before, or put it into the context',
    });
  }
  const [, scheme = '', rest = ''] = /^([a-z0-9]+):\/\/(.*)$/s.exec(given) ?? [];
  if (scheme === '' || scheme === 'dir') {
    if (given === '-') return { context: '-', ...archive(subPath, file) };
    const context = path.join(scheme === '' ? given : rest, subPath ?? '');
    return { context, file: localDockerfile(context, file ?? 'Dockerfile') };
  }
  if (scheme === 'tar') return { context: rest === 'stdin' ? '-' : given, ...archive(subPath, file) };
  if (scheme === 'git') {
    return { context: gitAddress(rest, subPath, flags, env), ...(file !== undefined && { file }) };
  }
  if (scheme === 'https' && !BLOB_STORAGE.test(given)) return { context: given, ...archive(subPath, file) };
  if (['s3', 'gs', 'https'].includes(scheme)) {
    throw new BuildError('UNSUPPORTED', `the context \`${given}\` is in a bucket, and buckets are not read`, {
      hint: 'fetch the archive in a step before, and give `--context=tar://FILE`; a signed https URL does as well',
    });
  }
  throw new BuildError('USAGE', `the context \`${given}\` has a scheme that is not known`, { hint: FORMS });
}

/** Of a context that is an archive. */
function archive(subPath: string | undefined, file: string | undefined): { readonly file?: string } {
  if (subPath !== undefined) {
    throw new BuildError('UNSUPPORTED', '`--context-sub-path` is not supported for an archive', {
      hint: 'pack the directory itself: `tar -C DIR -czf context.tar.gz .`',
    });
  }
  return file === undefined ? {} : { file };
}

function localDockerfile(context: string, file: string): string {
  const inContext = path.join(context, file);
  return isFile(file) || !existsSync(inContext) ? path.resolve(file) : inContext;
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * kaniko clones by https (GIT_PULL_METHOD: or http), with `.git` in the context and without submodules. After the address
 * come a reference and a commit of it, each after `#`.
 */
function gitAddress(address: string, subPath: string | undefined, flags: GivenFlags, env: NodeJS.ProcessEnv): string {
  const { branch, submodules } = gitOptions(flags.list('git'));
  const [place = '', first = '', commit = first] = address.split('#');
  const method = env['GIT_PULL_METHOD'] === 'http' ? 'http' : 'https';
  const query = new URLSearchParams({ 'keep-git-dir': 'true', submodules: String(submodules) });
  const ref = branch === undefined ? commit : `refs/heads/${branch}`;
  if (ref !== '') query.set('ref', ref);
  if (subPath !== undefined) query.set('subdir', subPath);
  // By its name alone an address of http is taken for a file; forges take the ending.
  return `${method}://${place.replace(/\/+$/, '').replace(/(?:\.git)?$/, '.git')}?${query.toString()}`;
}

interface GitOptions {
  readonly branch?: string;
  readonly submodules: boolean;
}

function gitOptions(values: readonly string[]): GitOptions {
  let options: GitOptions = { submodules: false };
  for (const text of values.flatMap((one) => one.split(','))) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === 'branch') options = { ...options, branch: value };
    else if (key === 'recurse-submodules') options = { ...options, submodules: parseBool(value) ?? false };
    else if (key === 'insecure-skip-tls' && parseBool(value)) {
      throw new BuildError('UNSUPPORTED', '`--git=insecure-skip-tls=true` is not supported', {
        hint: 'clone in a step before, and give the directory',
      });
    } else if (!['single-branch', 'depth', 'insecure-skip-tls'].includes(key)) {
      throw new BuildError('USAGE', `invalid \`--git=${text}\``, {
        hint: 'write `branch=NAME`, `recurse-submodules=true`, `single-branch=true` or `depth=N`',
      });
    }
  }
  return options;
}
