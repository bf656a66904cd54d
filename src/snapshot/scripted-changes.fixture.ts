import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';
import { type ByteString, toFsPath } from '../base/bytes.js';
import { hasCode } from '../base/errors.js';
import { lutimesNs, mkfifo, mknod } from '../base/linux/inode.js';
import { lremovexattr, lsetxattr } from '../base/linux/xattr.js';
import { copyTree } from './copy-tree.js';

/** Something that a RUN may do to names of a tree. */
export interface ScriptedChange {
  readonly verb: keyof typeof VERBS;
  readonly path: Choice;
  readonly other: Choice;
  readonly value: number;
}

/** One of the names that there are, or a new name in one of the directories. */
interface Choice {
  readonly number: number;
  readonly name: ByteString | undefined;
}

const NAMES = ['a', 'b', 'b-', 'c', '\xff\xfe', 'd e'];
const { signal } = new AbortController();
const CAPABILITY = '0100000200040000000000000000000000000000';

/** The name that a choice means now, in two trees that hold the same the same one. */
export function choose(root: ByteString, { number, name }: Choice): ByteString {
  const names = allNames(root);
  if (name === undefined) return names[number % names.length] ?? 'a';
  const dirs = ['', ...names.filter((one) => isDirectory(`${root}/${one}`))];
  return `${dirs[number % dirs.length]!}/${name}`.replace(/^\//, '');
}

/** Does one thing below `root`. Gives the code of what the kernel says of it, or 'ok'. */
export function doChange(root: ByteString, { verb, path, other, value }: ScriptedChange): string {
  try {
    VERBS[verb](`${root}/${choose(root, path)}`, `${root}/${choose(root, other)}`, value);
    return 'ok';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return code;
  }
}

const fs = toFsPath;
const VERBS = {
  write: (at: ByteString, _: ByteString, n: number) => onFile(at, () => writeFileSync(fs(at), `content ${n}`)),
  append: (at: ByteString) => onFile(at, () => appendFileSync(fs(at), 'more')),
  writeKeepingTime: (at: ByteString, _: ByteString, n: number) =>
    onFile(at, () => keepingTime(at, () => writeFileSync(fs(at), `content ${n}`))),
  writeSame: (at: ByteString) => onFile(at, () => keepingTime(at, () => writeFileSync(fs(at), readFileSync(fs(at))))),
  replaceBySame: (at: ByteString, other: ByteString) => {
    const { mtimeNs } = lstatSync(fs(at), { bigint: true });
    if (existsSync(fs(other)) || !lstatSync(fs(at)).isFile()) return;
    copyFileSync(fs(at), fs(other));
    lutimesNs(other, mtimeNs, mtimeNs);
    renameSync(fs(other), fs(at));
  },
  truncate: (at: ByteString, _: ByteString, n: number) => onFile(at, () => truncateSync(fs(at), n % 12)),
  chmod: (at: ByteString, _: ByteString, n: number) =>
    lstatSync(fs(at)).isSymbolicLink() || chmodSync(fs(at), [0o644, 0o755, 0o4755, 0o1777, 0o600][n % 5]!),
  chown: (at: ByteString, _: ByteString, n: number) => lchownSync(fs(at), n % 3, n % 2),
  wholeSecond: (at: ByteString, _: ByteString, n: number) =>
    lutimesNs(at, 0n, BigInt(1_000_000_000 + (n % 2)) * 1_000_000_000n),
  mkdir: (at: ByteString) => mkdirSync(fs(at)),
  unlink: (at: ByteString) => unlinkSync(fs(at)),
  removeTree: (at: ByteString) => rmSync(fs(at), { recursive: true }),
  removeAndMake: (at: ByteString) => {
    rmSync(fs(at), { recursive: true });
    mkdirSync(fs(at));
  },
  rebuild,
  linkAndRebuild: (at: ByteString, other: ByteString) => {
    if (!isDirectory(at)) return;
    const file = readdirSync(fs(at), 'latin1')
      .sort()
      .find((name) => lstatSync(fs(`${at}/${name}`)).isFile());
    if (file !== undefined) linkSync(fs(`${at}/${file}`), fs(`${at}/${file}~`));
    rebuild(at, other);
  },
  /** As mv(1), which copies where the kernel may not rename. */
  move: (at: ByteString, other: ByteString) => {
    if (at === other || other.startsWith(`${at}/`)) return;
    if (isDirectory(at) && existsSync(fs(other))) return;
    try {
      renameSync(fs(at), fs(other));
    } catch (error) {
      if (!hasCode(error, 'EXDEV')) throw error;
      mkdirSync(fs(other));
      copyTree(at, other, { signal });
      rmSync(fs(at), { recursive: true });
    }
  },
  link: (at: ByteString, other: ByteString) => linkSync(fs(at), fs(other)),
  symlink: (at: ByteString, _: ByteString, n: number) => symlinkSync(`t${n % 3}`, fs(at)),
  symlinkAnew: (at: ByteString, _: ByteString, n: number) => {
    if (!lstatSync(fs(at)).isSymbolicLink()) return;
    keepingTime(at, () => {
      unlinkSync(fs(at));
      symlinkSync(`t${n % 3}`, fs(at));
    });
  },
  fifo: (at: ByteString) => mkfifo(at, 0o640),
  device: (at: ByteString, _: ByteString, n: number) => mknod(at, n % 2 === 0 ? 'char' : 'block', 0o600, 500, n % 3),
  socket: (at: ByteString) => mknod(at, 'socket', 0o600),
  capability: (at: ByteString, _: ByteString, n: number) => {
    if (!lstatSync(fs(at)).isFile()) return;
    if (n % 3 === 0) lremovexattr(at, 'security.capability');
    else lsetxattr(at, 'security.capability', Buffer.from(CAPABILITY.replace('4', String(n % 3)), 'hex'));
  },
  attribute: (at: ByteString, _: ByteString, n: number) => lsetxattr(at, 'trusted.x', Buffer.from(String(n))),
};

/** A directory is put together once more from copies that keep what they can, as archivers do. */
function rebuild(at: ByteString, other: ByteString): void {
  if (!isDirectory(at) || existsSync(fs(other)) || other.startsWith(`${at}/`)) return;
  mkdirSync(fs(other));
  copyTree(at, other, { signal });
  rmSync(fs(at), { recursive: true });
  mkdirSync(fs(at));
  copyTree(other, at, { signal });
  rmSync(fs(other), { recursive: true });
}

/** Verbs that copy directories: which names in them are one file is then seen, and differs (`breakLinks`). */
export const COPYING: readonly string[] = ['move', 'rebuild', 'linkAndRebuild'];

/** Nothing is written to a device, nor into a pipe that nobody reads. */
function onFile(at: ByteString, work: () => void): void {
  const stat = lstatSync(fs(at), { throwIfNoEntry: false });
  if (!stat || stat.isFile()) work();
}

function keepingTime(at: ByteString, work: () => void): void {
  const { mtimeNs } = lstatSync(fs(at), { bigint: true });
  work();
  lutimesNs(at, mtimeNs, mtimeNs);
}

function isDirectory(at: ByteString): boolean {
  return lstatSync(fs(at), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const there = fc.record({ number: fc.nat(200), name: fc.constant(undefined) });
const anywhere = fc.record({ number: fc.nat(200), name: fc.option(fc.constantFrom(...NAMES), { nil: undefined }) });
const fresh = fc.record({ number: fc.nat(200), name: fc.constantFrom(...NAMES) });

export const change: fc.Arbitrary<ScriptedChange> = fc.record({
  verb: fc.constantFrom(...(Object.keys(VERBS) as ScriptedChange['verb'][])),
  path: fc.oneof(there, there, anywhere),
  other: anywhere,
  value: fc.nat(30),
});

const MAKING = ['mkdir', 'mkdir', 'mkdir', 'write', 'write', 'write', 'symlink', 'device', 'fifo'] as const;

/** What a base would hold: mostly directories and files. */
export const making: fc.Arbitrary<ScriptedChange> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ verb: fc.constantFrom(...MAKING), path: fresh, other: fresh, value: fc.nat(30) }),
  },
  fc.record({ verb: fc.constantFrom('link', 'capability', 'chmod'), path: there, other: fresh, value: fc.nat(30) }),
);

/** All names below `root`, directories after what is in them. */
export function allNames(root: ByteString): readonly ByteString[] {
  const names: ByteString[] = [];
  const walk = (dir: ByteString): void => {
    for (const name of readdirSync(fs(root + dir), 'latin1').sort()) {
      if (isDirectory(`${root}${dir}/${name}`)) walk(`${dir}/${name}`);
      names.push(`${dir}/${name}`.slice(1));
    }
  };
  walk('');
  return names;
}
