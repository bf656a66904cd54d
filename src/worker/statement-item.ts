import { createHash } from 'node:crypto';
import type { Cancel } from '../base/abort.js';
import { fromText, toText, type ByteString } from '../base/bytes.js';
import { BuildError } from '../base/errors.js';
import type { PackItem } from '../layer/pack.js';
import type { RefView } from '../layer/ref-view.js';
import { hexOf } from '../oci/digest.js';
import type { ExportTreeRequest } from './machine.js';

type Statement = NonNullable<ExportTreeRequest['statement']>;

/**
 * The file with an in-toto statement about files: each regular one that `items` has, by its name and the digest of its
 * bytes. Throws EXPORT_FAILED when the name is taken.
 */
export async function statementItem(
  { fileName, document, mtime }: Statement,
  items: readonly PackItem[],
  view: RefView,
  opts: Cancel,
): Promise<PackItem> {
  const path = fromText(fileName);
  if (items.some(({ entry }) => entry.path === path)) {
    throw new BuildError('EXPORT_FAILED', `the result has a \`${fileName}\` of its own`, {
      hint: 'give the provenance another name: `--provenance=mode=min,filename=NAME`',
    });
  }
  const subject: object[] = [];
  for (const { entry } of items) {
    opts.signal.throwIfAborted();
    if (entry.type !== 'file' && entry.type !== 'hardlink') continue;
    subject.push({ name: toText(entry.path), digest: { sha256: await sha256(view, entry.path) } });
  }
  const bytes = Buffer.from(JSON.stringify({ ...document, subject }, undefined, 2));
  const entry = { path, type: 'file', mode: 0o600, uid: 0, gid: 0, size: bytes.length, mtime } as const;
  return { entry, content: { kind: 'bytes', bytes } };
}

async function sha256(view: RefView, path: ByteString): Promise<string> {
  const known = await view.contentDigest?.(path);
  if (known !== undefined) return hexOf(known);
  const hash = createHash('sha256');
  for await (const chunk of view.open(path)) hash.update(chunk);
  return hash.digest('hex');
}
