import { MOST } from '../layer/gzip-blocks.js';
import { MADE_BY } from '../layer/parallel-gzip.js';
import { hexOf, isDigest, type Digest } from '../oci/digest.js';
import type { Store } from '../store/store.js';

/** Layers whose pieces are known at a time: those that were compressed last. */
const LAYERS = 8;

/** A piece in the compressed blob of some layer, with sha256 of its bytes in base64. */
export type PieceRow = readonly [key: string, start: number, length: number, sum: string];

/** The same, and the file that it lies in. */
export interface PlacedPiece {
  readonly key: string;
  readonly file: string;
  readonly start: number;
  readonly length: number;
  readonly sum: string;
}

interface Table {
  readonly madeBy: string;
  readonly rows: readonly PieceRow[];
}

/**
 * The pieces of the gzip streams that were made last: what a new layer has in common with them need not be deflated
 * again. Newer ones come later.
 */
export async function placedPieces(store: Store, level: number): Promise<readonly PlacedPiece[]> {
  const pieces: PlacedPiece[] = [];
  for (const blob of digestsIn(await store.records.fact(listFact(level))).toReversed()) {
    const file = store.blobs.path(blob);
    for (const [key, start, length, sum] of rowsIn(await store.records.fact(tableFact(level, blob)))) {
      pieces.push({ key, file, start, length, sum });
    }
  }
  return pieces;
}

/** Remembers these as the pieces of a blob, which stands in the store. */
export async function savePieces(
  { records }: Store,
  level: number,
  blob: Digest,
  rows: readonly PieceRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await records.saveFact(tableFact(level, blob), { madeBy: MADE_BY, rows } satisfies Table);
  const others = digestsIn(await records.fact(listFact(level))).filter((one) => one !== blob);
  const layers = [blob, ...others];
  await records.saveFact(listFact(level), { layers: layers.slice(0, LAYERS) });
  for (const gone of layers.slice(LAYERS)) await records.forgetFact(tableFact(level, gone));
}

function listFact(level: number): string {
  return `recent-gzip-${level}`;
}

/** Goes with its blob. */
function tableFact(level: number, blob: Digest): string {
  return `pieces-${level}-${hexOf(blob)}`;
}

function digestsIn(fact: unknown): readonly Digest[] {
  const layers = (fact as { readonly layers?: unknown } | null | undefined)?.layers;
  return Array.isArray(layers) ? layers.filter((one): one is Digest => typeof one === 'string' && isDigest(one)) : [];
}

/** Those of another zlib, or of one told otherwise, could be other bytes for the same block, which nothing may depend on. */
function rowsIn(fact: unknown): readonly PieceRow[] {
  const table = fact as Partial<Table> | null | undefined;
  if (table?.madeBy !== MADE_BY || !Array.isArray(table.rows)) return [];
  return (table.rows as readonly unknown[]).filter(isRow);
}

function isRow(row: unknown): row is PieceRow {
  if (!Array.isArray(row) || row.length !== 4) return false;
  const [key, start, length, sum] = row as readonly unknown[];
  const isPlace = Number.isSafeInteger(start) && Number.isSafeInteger(length);
  return (
    typeof key === 'string' && typeof sum === 'string' && isPlace && Number(length) >= 0 && Number(length) <= 2 * MOST
  );
}
