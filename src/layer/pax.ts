import { compareBytes, type ByteString } from '../base/bytes.js';

/** Bytes of a PAX extended header, keyword to value. Both are bytes; values of text records are UTF-8 by convention only. */
export type PaxRecords = ReadonlyMap<ByteString, ByteString>;

/** Records in the order of their keywords, each `<length> <keyword>=<value>\n`, where the length counts itself. */
export function formatPax(records: PaxRecords): Buffer {
  let text = '';
  for (const key of [...records.keys()].sort(compareBytes)) {
    const body = ` ${key}=${records.get(key)!}\n`;
    let length = body.length + String(body.length).length;
    if (String(length).length > String(body.length).length) length++;
    text += `${length}${body}`;
  }
  return Buffer.from(text, 'latin1');
}

/** Undefined for a damaged header. GNU sparse 0.0, which repeats keywords, comes out as its successor 0.1. */
export function parsePax(bytes: Buffer): Map<ByteString, ByteString> | undefined {
  const records = new Map<ByteString, ByteString>();
  const sparse: ByteString[] = [];
  let at = 0;
  while (at < bytes.length) {
    const blank = bytes.indexOf(0x20, at);
    if (blank < 0 || blank - at > 10) return undefined;
    const digits = bytes.toString('latin1', at, blank);
    const end = at + Number(digits);
    if (!/^\d+$/.test(digits) || end > bytes.length || end <= blank + 1 || bytes[end - 1] !== 0x0a) return undefined;
    const equals = bytes.indexOf(0x3d, blank + 1);
    if (equals < 0 || equals >= end - 1 || equals === blank + 1) return undefined;
    const key = bytes.toString('latin1', blank + 1, equals);
    const value = bytes.toString('latin1', equals + 1, end - 1);
    if (!isValid(key, value)) return undefined;
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      if (key !== (sparse.length % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes') || value.includes(',')) {
        return undefined;
      }
      sparse.push(value);
    } else {
      records.set(key, value);
    }
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', sparse.join(','));
  return records;
}

function isValid(key: ByteString, value: ByteString): boolean {
  if (key.includes('\0')) return false;
  const isName = key === 'path' || key === 'linkpath' || key === 'uname' || key === 'gname';
  return !isName || !value.includes('\0');
}
