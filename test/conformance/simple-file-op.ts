import path from 'node:path';
import type { CopyAction, FileAction, MkdirAction, Owner } from '../../src/llb/types.js';

/** One instruction of a Dockerfile as simple as these checks drive it: no RUN, no variables, no heredocs. */
export type Step =
  | { readonly kind: 'from'; readonly image: string; readonly name: string | undefined }
  | { readonly kind: 'copy'; readonly from: string | undefined; readonly link: boolean; readonly actions: ActionsFor }
  | { readonly kind: 'workdir'; readonly actions: ActionsFor };

/** The actions with the inputs numbered: `base` and `source` are indexes or -1, `count` is how many there are. */
export type ActionsFor = (base: number, source: number, count: number) => readonly FileAction[];

/** Undefined when the Dockerfile needs more than this mapping knows. */
export function parseSimple(dockerfile: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  let workdir = '/';
  let user: string | undefined;
  for (const line of dockerfile.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    if (/[$\\]|<</.test(line)) return undefined;
    const [keyword, rest] = [line.split(/\s/, 1)[0]!.toUpperCase(), line.replace(/^\S+\s*/, '')];
    if (keyword === 'FROM') {
      const [image, , name] = rest.split(/\s+/);
      steps.push({ kind: 'from', image: image!, name });
      workdir = '/';
      user = undefined;
    } else if (keyword === 'COPY' || keyword === 'ADD') {
      const step = parseCopy(rest, keyword === 'ADD', workdir);
      if (step === undefined) return undefined;
      steps.push(step);
    } else if (keyword === 'WORKDIR') {
      workdir = path.posix.resolve(workdir, rest.replace(/^"(.*)"$/, '$1'));
      const action: MkdirAction = {
        type: 'mkdir',
        path: workdir,
        mode: 0o755,
        makeParents: true,
        ...(user !== undefined && { owner: parseOwner(user) }),
      };
      if (workdir !== '/') {
        steps.push({
          kind: 'workdir',
          actions: (base) => [{ input: base, secondaryInput: -1, output: 0, action }],
        });
      }
    } else if (keyword === 'USER') user = rest;
    else if (!['LABEL', 'CMD', 'EXPOSE'].includes(keyword)) return undefined;
  }
  return steps;
}

function parseCopy(text: string, isAdd: boolean, workdir: string): Step | undefined {
  const flags = new Map<string, string[]>();
  let rest = text;
  for (let match; (match = /^--([a-z]+)(?:=(\S*))?\s+/.exec(rest)); rest = rest.slice(match[0].length)) {
    flags.set(match[1]!, [...(flags.get(match[1]!) ?? []), match[2] ?? 'true']);
  }
  const words = rest.startsWith('["') ? (JSON.parse(rest) as string[]) : rest.split(/\s+/).map(unquoted);
  const dest = words.pop()!;
  if (words.some((one) => /^[a-z]+:\/\/|\.git$/.test(one))) return undefined;
  const chmod = flags.get('chmod')?.[0];
  const isOctal = chmod !== undefined && /^[0-7]+$/.test(chmod);
  if (chmod !== undefined && /^[0-9]/.test(chmod) && !(isOctal && Number.parseInt(chmod, 8) <= 0o7777))
    return undefined;
  const chown = flags.get('chown')?.[0];
  const unpack = (flags.get('unpack')?.[0] ?? String(isAdd)) === 'true';
  const isParents = flags.get('parents')?.[0] === 'true';
  const to = path.posix.join(workdir === '/' || dest.startsWith('/') ? '/' : workdir, dest);
  const copies = words.map((src): CopyAction => {
    const [pivot, below] = isParents ? cut(src) : [src, undefined];
    const from = keepSlash(path.posix.join('/', pivot), pivot);
    const pattern = below === undefined ? undefined : path.posix.join('/', below);
    const isWild = /[*?[]/.test(src);
    return {
      type: 'copy',
      src: from,
      dest: keepSlash(to, dest === '' || dest === '.' || dest.endsWith('/.') ? '/' : dest),
      ...(chown !== undefined && chown !== '' && { owner: parseOwner(chown) }),
      mode: isOctal ? Number.parseInt(chmod, 8) : -1,
      ...(chmod !== undefined && !isOctal && { modeStr: chmod }),
      followSymlink: true,
      dirCopyContents: true,
      attemptUnpackDockerCompatibility: unpack,
      createDestPath: true,
      allowWildcard: true,
      allowEmptyWildcard: true,
      ...(pattern !== undefined && { includePatterns: [pattern.slice(1)] }),
      ...(pattern !== undefined && !isWild && { requiredPaths: [path.posix.join(from, pattern)] }),
      ...(flags.has('exclude') && { excludePatterns: flags.get('exclude')! }),
    };
  });
  const actions: ActionsFor = (base, source, count) =>
    copies.map((action, i) => ({
      input: i === 0 ? base : count + i - 1,
      secondaryInput: source,
      output: i === copies.length - 1 ? 0 : -1,
      action,
    }));
  const link = (flags.get('link')?.[0] ?? 'false') === 'true' && chmod === undefined;
  return { kind: 'copy', from: flags.get('from')?.[0], link, actions };
}

function cut(src: string): readonly [string, string] {
  const at = src.indexOf('/./');
  return at < 0 ? ['/', src] : [src.slice(0, at), src.slice(at + 3)];
}

function keepSlash(clean: string, written: string): string {
  return written.endsWith('/') && !clean.endsWith('/') ? `${clean}/` : clean;
}

function unquoted(word: string): string {
  return word.replace(/^(["'])(.*)\1$/, '$2');
}

function parseOwner(text: string): Owner {
  const [user = '', group] = text.split(':', 2);
  const parse = (part: string): { readonly name: string } | { readonly id: number } =>
    /^[0-9]+$/.test(part) && Number(part) < 2 ** 32 ? { id: Number(part) } : { name: part };
  if (text.split(':').length > 2) return { user: parse(user), group: { name: text.slice(user.length + 1) } };
  return {
    ...(user !== '' && { user: parse(user) }),
    ...(group !== undefined && group !== '' && { group: parse(group) }),
  };
}
