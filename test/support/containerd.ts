import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../../src/executor/runtime.js';
import { Daemon, PROGRAMS } from './daemon.js';

/** containerd without anything around it, with its state below a directory that the caller removes. */
export class Containerd implements AsyncDisposable {
  readonly socket: string;
  /** containerd's own client. */
  readonly ctr = findProgram('ctr', { PATH: PROGRAMS })!;
  readonly #daemon: Daemon;

  private constructor(dir: string, daemon: Daemon) {
    this.socket = path.join(dir, 'sock');
    this.#daemon = daemon;
  }

  /** Why there can be none here; undefined when there can. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return 'containerd needs root';
    const found = ['containerd', 'ctr'].every((name) => findProgram(name, { PATH: PROGRAMS }));
    return found ? undefined : 'containerd is not installed';
  }

  /** `dir` is made. Gives one that answers. */
  static async start(dir: string): Promise<Containerd> {
    mkdirSync(dir, { recursive: true });
    const lines = [
      'version = 2',
      `root = "${dir}/root"`,
      `state = "${dir}/state"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      '[grpc]',
      `address = "${dir}/sock"`,
    ];
    writeFileSync(path.join(dir, 'config.toml'), `${lines.join('\n')}\n`);
    const daemon = new Daemon('exec containerd --config "$1/config.toml"', [dir], path.join(dir, 'log'));
    const containerd = new Containerd(dir, daemon);
    try {
      await daemon.ready(async () => await containerd.#answers());
      return containerd;
    } catch (error) {
      await daemon.stop();
      throw error;
    }
  }

  /** Names of its images, each with the digest of what it stands for. */
  async images(): Promise<ReadonlyMap<string, string>> {
    const lines = (await this.#run('images', 'list')).trim().split('\n').slice(1);
    return new Map(lines.map((line) => line.split(/\s+/)).map(([name = '', , digest = '']) => [name, digest]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.stop();
  }

  async #answers(): Promise<boolean> {
    return await this.#run('version').then(
      () => true,
      () => false,
    );
  }

  async #run(...args: readonly string[]): Promise<string> {
    return (await promisify(execFile)(this.ctr, ['--address', this.socket, '--connect-timeout', '1s', ...args])).stdout;
  }
}
