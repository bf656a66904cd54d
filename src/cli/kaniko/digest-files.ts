import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { BuildError } from '../../base/errors.js';
import type { BuildResult } from '../../build/index.js';
import { DOCKER_HUB } from '../../registry/hosts.js';
import { parseReference, withDefaultTag } from '../../oci/reference.js';
import { writeResult } from '../commands/build-metadata.js';
import type { GivenFlags } from './parse-flags.js';

const FILES = ['digest-file', 'image-name-with-digest-file', 'image-name-tag-with-digest-file'] as const;

/** Refuses, before anything is built, what cannot be written to. Throws UNSUPPORTED. */
export function requireDigestFiles(flags: GivenFlags): void {
  for (const name of FILES) {
    if (!flags.text(name)?.startsWith('https://')) continue;
    throw new BuildError('UNSUPPORTED', `\`--${name}\` names a URL, and only files are written`, {
      hint: 'write a file, and send it in a step after',
    });
  }
}

/** By which the image is known where it went: at the registry, else in what was written, else in the store. */
export function imageDigest({ pushed, outputs }: BuildResult): string | undefined {
  const written = outputs.find(({ type }) => type === 'oci') ?? outputs.find(({ type }) => type === 'docker');
  return pushed[0]?.digest ?? (written ?? outputs[0])?.digest;
}

/** Writes the files that are to name the image, with the folders above them. Throws EXPORT_FAILED. */
export async function writeDigestFiles(flags: GivenFlags, digest: string): Promise<void> {
  const names = flags.list('destination').map((text) => withDefaultTag(parseReference(text)));
  const lines = (withTag: boolean): string =>
    names
      .map(({ registry, repository, tag }) => {
        const host = registry === DOCKER_HUB.name ? 'index.docker.io' : registry; // as kaniko writes it
        return `${host}/${repository}${withTag ? `:${tag}` : ''}@${digest}\n`;
      })
      .join('');
  const contents = [digest, lines(false), lines(true)];
  for (const [n, name] of FILES.entries()) {
    const file = flags.text(name);
    if (file === undefined) continue;
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    await writeResult(file, contents[n]!);
  }
}
