import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../../src/executor/runtime.js';

/** podman with a storage and settings of its own below `dir`, which is made, and which the caller removes. */
export class Podman implements AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;

  constructor(dir: string) {
    const settings = path.join(dir, '.config/containers');
    for (const folder of [settings, path.join(dir, 'run')]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const storage = path.join(settings, 'storage.conf');
    writeFileSync(path.join(settings, 'policy.json'), '{"default": [{"type": "insecureAcceptAnything"}]}');
    const lines = ['[storage]', 'driver = "vfs"', `graphroot = "${dir}/images"`, `runroot = "${dir}/run/storage"`];
    writeFileSync(storage, [...lines, `rootless_storage_path = "${dir}/images"`, ''].join('\n'));
    this.env = {
      HOME: dir,
      XDG_RUNTIME_DIR: path.join(dir, 'run'),
      XDG_CONFIG_HOME: path.join(dir, '.config'),
      CONTAINERS_STORAGE_CONF: storage,
      DOCKER_HOST: '',
      DOCKER_CONTEXT: '',
      DOCKER_CONFIG: dir,
    };
  }

  /** Why there is none here; undefined when there is. */
  static missing(): string | undefined {
    return findProgram('podman', process.env) === undefined ? 'podman is not installed' : undefined;
  }

  /** What `podman ARGS` prints. Throws with what it says when it fails. */
  async podman(...args: readonly string[]): Promise<string> {
    return (await promisify(execFile)('podman', args, { env: { ...process.env, ...this.env } })).stdout;
  }

  async imageId(name: string): Promise<string> {
    return `sha256:${(await this.podman('image', 'inspect', '--format', '{{.Id}}', name)).trim()}`;
  }

  /** Ends the process that holds an ordinary user's namespaces for the next command. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.podman('system', 'migrate');
  }
}
