import path from 'node:path';
import { replaceFile } from '../../base/atomic-file.js';
import { BuildError, hasCode } from '../../base/errors.js';
import type { BuildResult } from '../../build/index.js';
import { nameValues } from './name-values.js';

/** `--metadata-file`, with the keys of buildx; the digest is that of the image as it was exported. */
export function buildMetadata({ configDigest, exported, tags }: BuildResult): Readonly<Record<string, unknown>> {
  if (configDigest === undefined || exported === undefined) return {};
  const { mediaType, digest, size } = exported;
  return {
    'containerimage.config.digest': configDigest,
    'containerimage.descriptor': { mediaType, digest, size },
    'containerimage.digest': digest,
    ...(tags.length > 0 && { 'image.name': tags.join(',') }),
  };
}

/**
 * Reads `--annotation`: `name=value` or `manifest:name=value`. Throws USAGE for other levels: a build makes one manifest,
 * and no index that could carry an annotation.
 */
export function parseAnnotations(values: readonly string[]): Readonly<Record<string, string>> {
  const bare = values.map((value) => {
    const level = /^((?:index|manifest)(?:-descriptor)?(?:\[[^\]]*\])?(?:,[^:=]*)?):/.exec(value)?.[1];
    if (level === undefined) return value;
    if (level === 'manifest') return value.slice('manifest:'.length);
    throw new BuildError('USAGE', `annotations of \`${level}\` are not supported by this version`, {
      hint: 'write `--annotation name=value` or `--annotation manifest:name=value`',
    });
  });
  return nameValues('--annotation', bare);
}

/** Writes a file that is asked for beside the image; it is there whole or not at all. */
export async function writeResult(file: string, content: string): Promise<void> {
  try {
    await replaceFile(path.resolve(file), content);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOSPC')) throw error;
    throw new BuildError('EXPORT_FAILED', `cannot write \`${file}\`: ${(error as Error).message}`, {
      hint: 'the image was built; give a path that this user may write',
      cause: error,
    });
  }
}
