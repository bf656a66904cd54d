import { rm } from 'node:fs/promises';
import path from 'node:path';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { JobContext } from '../job/context.js';
import { exportFailure } from '../base/system-errors.js';
import { formatPlatform } from '../oci/platform.js';
import { mustBeWrittenInto } from '../transfer/archive-file.js';
import { fileStatement } from './provenance/attest.js';
import type { ExportContext, Exported, Exporter, FilesOutput } from './types.js';

const NOTHING: Exported = { pushed: [] };

/** `type=local`: the files of the result in a directory. `type=tar`: the same as one tar. */
export class FileTreeExporter implements Exporter {
  readonly #spec: FilesOutput;

  constructor(spec: FilesOutput) {
    this.#spec = spec;
  }

  async export(context: ExportContext, job: JobContext): Promise<Exported> {
    const { ref, platform, epoch, store, exportTree, provenance } = context;
    const spec = this.#spec;
    const { dest, platformSplit, attestationPrefix } = spec;
    const more = {
      ...(platformSplit && { below: formatPlatform(platform).replaceAll('/', '_') }),
      ...(epoch !== undefined && { maxMtime: epoch }),
      ...(provenance && {
        statement: {
          fileName: `${attestationPrefix}${provenance.options.filename}`,
          document: fileStatement(provenance),
          mtime: epoch ?? Math.floor(job.now() / 1000),
        },
      }),
    };
    if (spec.type === 'local') {
      const isMirror = spec.mode === 'delete';
      await exportTree({ ref, dest: path.resolve(dest), form: 'directory', isMirror, ...more });
      return NOTHING;
    }
    const toStdout = dest === '-';
    if (!toStdout && !(await mustBeWrittenInto(dest))) {
      await exportTree({ ref, dest: path.resolve(dest), form: 'tar', ...more });
      return NOTHING;
    }
    // The worker may see another file system than the caller for a pipe or a terminal, so it writes a file of the store.
    const temp = await store.blobs.tempPath();
    try {
      await exportTree({ ref, dest: temp, form: 'tar', ...more });
      const { signal } = job;
      if (toStdout) await pipeline(createReadStream(temp), process.stdout, { signal, end: false });
      else await pipeline(createReadStream(temp), createWriteStream(dest), { signal });
    } catch (error) {
      job.signal.throwIfAborted();
      throw exportFailure(dest, error);
    } finally {
      await rm(temp, { force: true });
    }
    return NOTHING;
  }
}
