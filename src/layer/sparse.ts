import type { ByteString } from '../base/bytes.js';
import type { PaxRecords } from './pax.js';
import { fields } from './tar-format.js';

/** Part of a sparse file that has bytes; the rest reads as zeros. In order, without overlap. */
export interface Fragment {
  readonly offset: number;
  readonly length: number;
}

/** GNU's and Go's bound. */
const MAX_FRAGMENTS = 1 << 20;
const PAIR = 24;

/** What the PAX records of an entry say about holes: GNU.sparse 0.0, 0.1 (the map is in the records), 1.0 (before the content). */
export function sparseVersion(records: PaxRecords): 'none' | '0.x' | '1.0' {
  const major = records.get('GNU.sparse.major') ?? '';
  const minor = records.get('GNU.sparse.minor') ?? '';
  if (major === '0' && (minor === '0' || minor === '1')) return '0.x';
  if (major === '1' && minor === '0') return '1.0';
  if (major !== '' || minor !== '') return 'none';
  return (records.get('GNU.sparse.map') ?? '') === '' ? 'none' : '0.x';
}

/** The map of version 0.x. Undefined for a damaged one. */
export function mapFromRecords(records: PaxRecords): Fragment[] | undefined {
  const count = parseDecimal(records.get('GNU.sparse.numblocks') ?? '');
  const text = records.get('GNU.sparse.map') ?? '';
  const numbers = text === '' ? [] : text.split(',');
  if (count === undefined || numbers.length !== 2 * count) return undefined;
  return pairUp(numbers);
}

/** The pairs of an old GNU header's sparse field, or of an extension block; `more` tells if another block follows. */
export function mapFromBlock(
  block: Buffer,
  isHeader: boolean,
  parseNumber: (block: Buffer, start: number, length: number) => number | undefined,
): { readonly fragments: readonly Fragment[]; readonly more: boolean } | undefined {
  const [start, length] = isHeader ? fields.gnuSparse : [0, 21 * PAIR + 1];
  const end = start + length - 1;
  const fragments: Fragment[] = [];
  for (let at = start; at < end && block[at] !== 0; at += PAIR) {
    const offset = parseNumber(block, at, 12);
    const size = parseNumber(block, at + 12, 12);
    if (offset === undefined || size === undefined) return undefined;
    fragments.push({ offset, length: size });
  }
  return { fragments, more: block[end] !== 0 };
}

/**
 * The map of version 1.0, from the blocks before the content: decimal lines, first their number of pairs.
 * 'more' when another block is needed, undefined for a damaged one.
 */
export function mapFromContent(text: ByteString): Fragment[] | 'more' | undefined {
  const first = text.indexOf('\n');
  if (first < 0) return 'more';
  const count = parseDecimal(text.slice(0, first));
  if (count === undefined || count > MAX_FRAGMENTS) return undefined;
  let end = first;
  for (let i = 0; i < 2 * count; i++) {
    end = text.indexOf('\n', end + 1);
    if (end < 0) return 'more';
  }
  return pairUp(count === 0 ? [] : text.slice(first + 1, end).split('\n'));
}

/** True if the fragments are in order, do not overlap, lie inside `size` bytes and take `stored` bytes together. */
export function isSound(fragments: readonly Fragment[], size: number, stored: number): boolean {
  if (fragments.length > MAX_FRAGMENTS || !Number.isSafeInteger(size) || size < 0) return false;
  let end = 0;
  let sum = 0;
  for (const { offset, length } of fragments) {
    if (offset < end || length < 0 || offset + length > size) return false;
    end = offset + length;
    sum += length;
  }
  return sum === stored;
}

export function parseDecimal(text: ByteString): number | undefined {
  if (!/^[+-]?\d{1,19}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function pairUp(numbers: readonly ByteString[]): Fragment[] | undefined {
  const fragments: Fragment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const offset = parseDecimal(numbers[i]!);
    const length = parseDecimal(numbers[i + 1]!);
    if (offset === undefined || length === undefined) return undefined;
    fragments.push({ offset, length });
  }
  return fragments;
}
