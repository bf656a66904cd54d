import { spawn } from 'node:child_process';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import type { Credentials } from './credentials.js';
import { credentialsOf } from './credentials-file.js';

export interface HelperOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds that a helper may take; some ask a cloud, or a person. */
  readonly timeoutMs?: number;
}

type Verb = 'get' | 'store' | 'erase';

interface HelperResult {
  readonly code: number | null;
  readonly output: string;
}

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT = 256 * 1024;

/**
 * A program `docker-credential-NAME`, which keeps credentials. What it says is never shown, because it may be a secret.
 * Its failures are CONFIG_INVALID.
 */
export class CredentialsHelper {
  readonly program: string;
  readonly #options: HelperOptions;

  constructor(name: string, options: HelperOptions) {
    if (!/^[\w.-]+$/.test(name)) {
      throw new BuildError('CONFIG_INVALID', `\`${name}\` is not the name of a credential helper`, {
        hint: '`credsStore` and `credHelpers` hold the part after `docker-credential-`',
      });
    }
    this.program = `docker-credential-${name}`;
    this.#options = options;
  }

  /** Undefined when it has none for `server`. */
  async get(server: string, cancel: Cancel): Promise<Credentials | undefined> {
    const { code, output } = await this.#run('get', server, cancel);
    if (code !== 0) {
      if (/credentials not found/i.test(output)) return undefined;
      throw this.#failed('get', `it ended with code ${code}`);
    }
    let found: { readonly Username?: unknown; readonly Secret?: unknown };
    try {
      found = (JSON.parse(output) ?? {}) as typeof found;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw this.#failed('get', 'its answer is not JSON');
    }
    const { Username: username, Secret: secret } = found;
    if (typeof username !== 'string' || typeof secret !== 'string') throw this.#failed('get', 'its answer has no user');
    return credentialsOf(username, secret);
  }

  async store(server: string, username: string, secret: string, cancel: Cancel): Promise<void> {
    const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
    const { code } = await this.#run('store', input, cancel);
    if (code !== 0) throw this.#failed('store', `it ended with code ${code}`);
  }

  async erase(server: string, cancel: Cancel): Promise<void> {
    const { code, output } = await this.#run('erase', server, cancel);
    if (code !== 0 && !/credentials not found/i.test(output)) throw this.#failed('erase', `it ended with code ${code}`);
  }

  async #run(verb: Verb, input: string, { signal }: Cancel): Promise<HelperResult> {
    const deadline = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
    try {
      return await runProgram(this.program, verb, input, this.#options.env, AbortSignal.any([signal, deadline]));
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) throw this.#failed(verb, 'it does not answer');
      // EACCES also when a folder of the PATH may not be read
      if (hasCode(error, 'ENOENT', 'EACCES')) {
        throw new BuildError('CONFIG_INVALID', `the credential helper \`${this.program}\` is no program on the PATH`, {
          hint: "install it, or take it out of `credsStore` or `credHelpers` of Docker's config.json",
        });
      }
      throw this.#failed(verb, 'it cannot be started', error);
    }
  }

  #failed(verb: Verb, why: string, cause?: unknown): BuildError {
    return new BuildError('CONFIG_INVALID', `the credential helper \`${this.program} ${verb}\` failed: ${why}`, {
      hint: `call it yourself to see what it says, with the name of the registry on its stdin`,
      cause,
    });
  }
}

/** What it says on both streams, since helpers put their errors on either. */
async function runProgram(
  program: string,
  verb: Verb,
  input: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<HelperResult> {
  return await new Promise((resolve, reject) => {
    const child = spawn(program, [verb], { env, stdio: 'pipe', signal, killSignal: 'SIGKILL' });
    let output = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += output.length < MAX_OUTPUT ? text : ''));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += said.length < MAX_OUTPUT ? text : ''));
    child.stdin.on('error', () => undefined); // it may end without having read
    child.stdin.end(`${input}\n`);
    child.once('error', (error) => {
      child.stdout.destroy(); // a child of the helper may keep them open
      child.stderr.destroy();
      reject(error);
    });
    child.once('close', (code) => resolve({ code, output: code === 0 ? output : output + said }));
  });
}
