import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { fromBytes, toFsPath, type ByteString } from '../base/bytes.js';

/** Removes what is below a directory and not among `kept`, paths relative to it. Follows no link. */
export function removeOthers(root: ByteString, kept: Iterable<ByteString>): void {
  const names = new Set(kept);
  const clear = (dir: ByteString): void => {
    for (const bytes of readdirSync(toFsPath(dir === '' ? root : `${root}/${dir}`), { encoding: 'buffer' })) {
      const name = fromBytes(bytes);
      const relative = dir === '' ? name : `${dir}/${name}`;
      const file = toFsPath(`${root}/${relative}`);
      if (!names.has(relative)) rmSync(file, { recursive: true, force: true });
      else if (lstatSync(file).isDirectory()) clear(relative);
    }
  };
  clear('');
}
