import { text } from 'node:stream/consumers';
import type { Cancel } from '../../base/abort.js';
import { BuildError } from '../../base/errors.js';
import { readStdin } from '../../base/read-stdin.js';
import { loginToRegistry } from '../../build/index.js';
import { ask } from '../prompt.js';
import { version } from '../version.js';

interface LoginFlags {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
}

export async function run(host: string | undefined, flags: LoginFlags, signal: AbortSignal): Promise<void> {
  const { username, password } = await credentials(flags, { signal });
  const kept = await loginToRegistry({
    ...(host !== undefined && { registry: host }),
    username,
    password,
    userAgent: `slipway/${version()}`,
    signal,
  });
  if (kept.kind === 'file') {
    process.stderr.write(
      `warning: your credentials are stored unencrypted in '${kept.file}'\n` +
        'hint: configure a credential helper: https://docs.docker.com/go/credential-store/\n',
    );
  }
  process.stderr.write('Login Succeeded\n');
}

async function credentials(
  { username, password, passwordStdin }: LoginFlags,
  { signal }: Cancel,
): Promise<{ readonly username: string; readonly password: string }> {
  if (passwordStdin) {
    if (password !== undefined) throw new BuildError('USAGE', '`--password` and `--password-stdin` exclude each other');
    if (username === undefined) throw new BuildError('USAGE', '`--password-stdin` needs `--username`');
    return { username, password: (await passwordFromStdin({ signal })).replace(/\r?\n$/, '') };
  }
  if (password !== undefined) {
    process.stderr.write('warning: other users of this machine can see `--password`; `--password-stdin` hides it\n');
  }
  if (username !== undefined && password !== undefined) return { username, password };
  if (!process.stdin.isTTY) {
    throw new BuildError('USAGE', 'cannot ask for user name and password, because stdin is no terminal', {
      hint: 'pipe the password in: `slipway login --username USER --password-stdin HOST`',
    });
  }
  return {
    username: username ?? (await ask('Username: ', { signal })),
    password: password ?? (await ask('Password: ', { isSecret: true, signal })),
  };
}

async function passwordFromStdin({ signal }: Cancel): Promise<string> {
  try {
    return await text(readStdin({ signal }));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
