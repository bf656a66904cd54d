import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Cancel } from '../../base/abort.js';
import { BuildError, hasCode } from '../../base/errors.js';
import { ArchiveBody } from './archive-body.js';
import type { ContainerEngine } from './types.js';

const SAID_BYTES = 16 * 1024;

/** An engine whose own program takes an archive on stdin. */
export class CommandEngine implements ContainerEngine {
  readonly name: string;
  readonly archive: ContainerEngine['archive'];
  readonly #argv: readonly [program: string, ...args: string[]];
  readonly #env: NodeJS.ProcessEnv;

  constructor(
    name: string,
    argv: readonly [program: string, ...args: string[]],
    archive: ContainerEngine['archive'],
    env: NodeJS.ProcessEnv,
  ) {
    this.name = name;
    this.#argv = argv;
    this.archive = archive;
    this.#env = env;
  }

  async load(archive: AsyncIterable<Uint8Array>, { signal }: Cancel): Promise<void> {
    signal.throwIfAborted();
    const body = new ArchiveBody(archive);
    const [program, ...args] = this.#argv;
    const child = spawn(program, args, { env: this.#env, stdio: ['pipe', 'ignore', 'pipe'], signal });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-SAID_BYTES)));
    const ended = new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killed) => resolve(code === null ? `by ${killed}` : `with ${code}`));
    });
    // One that ends early closes its stdin; how it ended and what it said is the better story.
    const sent = pipeline(Readable.from(body), child.stdin).catch((error: unknown) => {
      if (!hasCode(error, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET')) child.kill();
    });
    try {
      const [how] = await Promise.all([ended, sent]);
      body.throwIfFailed();
      if (how === 'with 0') return;
      throw new BuildError('EXPORT_FAILED', `${this.name} does not take the image, it ended ${how}: ${said.trim()}`, {
        hint: 'what was built is in the cache, so the next build only hands it over',
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!hasCode(error, 'ENOENT', 'EACCES')) throw error;
      throw new BuildError('ENGINE_UNAVAILABLE', `cannot start ${this.name}`, { cause: error });
    }
  }
}
