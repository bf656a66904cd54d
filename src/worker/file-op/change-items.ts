import { fromText } from '../../base/bytes.js';
import type { Entry } from '../../layer/entry.js';
import type { PackContent, PackItem } from '../../layer/pack.js';
import { whiteoutEntry } from '../../layer/whiteout.js';
import type { Digest } from '../../oci/digest.js';
import { contentOf, type OpenView } from '../ref-views.js';
import type { Change, ChangeSet } from './change-set.js';
import type { EarlierLayer } from './earlier-layer.js';

/** What is to be packed for each change, in order. Bytes that lie nowhere by themselves are written to `scratchDir`. */
export async function itemsOf(
  { changes }: Pick<ChangeSet, 'changes'>,
  open: readonly OpenView[],
  scratchDir: string,
  earlier: EarlierLayer | undefined,
): Promise<readonly PackItem[]> {
  const items: PackItem[] = [];
  for (const change of changes.values()) {
    const item = itemOf(change, open, scratchDir, `file-${items.length}`, earlier);
    items.push(item instanceof Promise ? await item : item); // mostly there is nothing to wait for, and there are many
  }
  return items;
}

function itemOf(
  change: Change,
  open: readonly OpenView[],
  scratchDir: string,
  name: string,
  earlier: EarlierLayer | undefined,
): PackItem | Promise<PackItem> {
  if (change.kind === 'removed') return { entry: whiteoutEntry(change.path) };
  const { entry, content } = change;
  if (!content || entry.size === 0) return { entry };
  switch (content.kind) {
    case 'bytes':
      return { entry, content: { kind: 'bytes', bytes: content.data } };
    case 'archive':
      return { entry, content: { kind: 'range', file: fromText(content.file), offset: content.offset } };
    case 'view': {
      const { digest } = content;
      const found = digest === undefined ? undefined : earlier?.find(entry.path, digest);
      if (found && digest !== undefined) return { entry, content: found, digest };
      const from = contentOf(open[content.input]!, content.path, scratchDir, name);
      return from instanceof Promise ? from.then((one) => itemWith(entry, one, digest)) : itemWith(entry, from, digest);
    }
  }
}

function itemWith(entry: Entry, content: PackContent, digest: Digest | undefined): PackItem {
  return digest === undefined ? { entry, content } : { entry, content, digest };
}
