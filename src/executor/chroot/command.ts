import { execute } from '../../base/linux/exec.js';
import { fromText } from '../../base/bytes.js';
import { hasCode } from '../../base/errors.js';
import type { SystemError } from '../../base/linux/errno.js';

/** Where a command without a slash is looked for when its environment has no PATH; as runtimes do. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Becomes the command, which is looked for on the PATH of its own environment unless it has a slash. Comes back only when
 * it cannot, with a message in the words of an OCI runtime.
 */
export function executeCommand(args: readonly string[], env: readonly string[]): string {
  const [name = ''] = args;
  let denied: string | undefined;
  for (const file of candidates(name, env)) {
    const error = execute(fromText(file), args, env);
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) continue;
    // A later folder may have one that can be executed.
    if (!hasCode(error, 'EACCES')) return `exec container process \`${file}\`: ${textOf(error)}`;
    denied ??= `open executable \`${file}\`: Permission denied`;
  }
  return denied ?? `executable file \`${name}\` not found in $PATH: No such file or directory`;
}

function candidates(name: string, env: readonly string[]): readonly string[] {
  if (name === '') return [];
  if (name.includes('/')) return [name];
  const path = env.findLast((one) => one.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  return path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${name}`);
}

function textOf(error: SystemError): string {
  if (error.code === 'ENOEXEC') return 'Exec format error';
  return error.message.replace(/^\w+: /, '').replace(/, execve.*$/, '');
}
