import type { ByteString } from '../base/bytes.js';

/**
 * A name in an archive as a path of an entry: relative, no empty or `.` component, and `..` takes back the component
 * before it, or nothing at the root. So the result never leads out of the root by itself; links in it still may,
 * and are the business of whoever walks it.
 */
export function cleanPath(name: ByteString): ByteString {
  if (isClean(name)) return name;
  const parts: ByteString[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

export function dirOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(dir: ByteString, name: ByteString): ByteString {
  return dir === '' ? name : name === '' ? dir : `${dir}/${name}`;
}

/** Cheap test for the usual case: no empty component, none that starts with a dot, no slash at either end. */
function isClean(name: ByteString): boolean {
  return name !== '' && name[0] !== '/' && name[0] !== '.' && !name.endsWith('/') && !/\/[./]/.test(name);
}
