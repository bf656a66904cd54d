import { constants } from 'node:os';
import { type ByteString, toText } from '../bytes.js';

/** What a system call that Node.js does not offer throws: the shape of Node's own system errors, so that `hasCode` works. */
export function notSupported(syscall: string, path: ByteString): Error {
  const name = toText(path);
  return Object.assign(new Error(`ENOTSUP: not possible on this system, ${syscall} '${name}'`), {
    code: 'ENOTSUP',
    errno: -constants.errno.ENOTSUP,
    syscall,
    path: name,
  });
}
