import { writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Cancel } from '../base/abort.js';
import { BuildError, hasCode } from '../base/errors.js';
import { LandingFile } from '../base/linux/landing-file.js';
import { exportFailure } from '../base/system-errors.js';
import type { ContentSink, ContentSource, PutOptions } from '../oci/content.js';
import type { Descriptor } from '../oci/descriptor.js';
import { parseIndex } from '../oci/documents.js';
import { ImageLayout } from '../store/layout.js';
import { withDirectoryLock } from './directory-lock.js';
import { EMPTY_INDEX, withEntries } from './layout-index.js';
import { writeChunks } from './write-chunks.js';

/** An OCI image layout that is being written to: a directory that no other Slipway writes to meanwhile. */
export class LayoutDirectory implements ContentSink {
  readonly #dir: string;
  readonly #layout: ImageLayout;

  private constructor(dir: string) {
    this.#dir = dir;
    this.#layout = new ImageLayout(dir);
  }

  /**
   * Runs `work` on the directory, which is made if absent; images that it has stay. Throws EXPORT_FAILED and DISK_FULL for what cannot be written.
   */
  static async write(dir: string, opts: Cancel, work: (layout: LayoutDirectory) => Promise<void>): Promise<void> {
    await withDirectoryLock(dir, opts, async () => {
      try {
        await mkdir(path.join(dir, 'blobs/sha256'), { recursive: true });
        await work(new LayoutDirectory(dir));
      } catch (error) {
        opts.signal.throwIfAborted();
        throw exportFailure(dir, error);
      }
    });
  }

  async has(target: Descriptor, opts: Cancel): Promise<boolean> {
    return await this.#layout.has(target, opts);
  }

  async put(target: Descriptor, source: ContentSource, opts: PutOptions): Promise<void> {
    using file = LandingFile.open(this.#layout.path(target.digest));
    await writeChunks(file.fd, source.open(target, opts), opts);
    file.land();
  }

  /** Adds entries to the index; what they replace goes. Now the images are there for others to see. */
  async addEntries(entries: readonly Descriptor[]): Promise<void> {
    const file = path.join(this.#dir, 'index.json');
    const bytes = await readIfThere(file);
    const index = bytes ? parseIndex(bytes, `the index of the layout \`${this.#dir}\``) : EMPTY_INDEX;
    await this.writeFile('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await this.writeFile('index.json', JSON.stringify(withEntries(index, entries)));
  }

  /** A file beside the layout's own. */
  async writeFile(name: string, content: string): Promise<void> {
    using file = LandingFile.open(path.join(this.#dir, name));
    writeFileSync(file.fd, content);
    file.land();
  }
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (!hasCode(error, 'EISDIR')) throw error;
    throw new BuildError('EXPORT_FAILED', `\`${file}\` is a directory`, { cause: error });
  }
}
