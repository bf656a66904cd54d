import { parseSize } from '../../base/size.js';
import { Fault } from '../diagnostic.js';
import { parseBool, quote } from '../go-text.js';
import { suggestion, withSuggestion } from '../../base/suggest.js';
import { csvFields } from './device.js';

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const SHARING = ['shared', 'private', 'locked'] as const;
export type MountType = (typeof TYPES)[number];
export type CacheSharing = (typeof SHARING)[number];

const KEYS =
  'type from source target readonly id sharing required size mode uid gid src dst destination ro rw readwrite env'.split(
    ' ',
  );

/** `RUN --mount=`, every value expanded. '' and undefined: not given. */
export interface Mount {
  readonly type: MountType;
  readonly from: string;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly size: number;
  readonly id: string;
  readonly sharing: CacheSharing | undefined;
  readonly required: boolean;
  readonly env: string | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** The `from=` of a mount, which is never expanded, so that stages can be ordered before anything else is known. */
export function mountFrom(text: string): string {
  let from = '';
  for (const field of csvFields(text, 'mounts')) {
    const equals = field.indexOf('=');
    if (equals < 0 || field.slice(0, equals).toLowerCase() !== 'from') continue;
    from = field.slice(equals + 1);
    const dollar = from.indexOf('$');
    if (dollar >= 0 && dollar !== from.length - 1) {
      throw new Fault('mount', "'from' doesn't support variable expansion, define alias stage instead");
    }
  }
  return from;
}

/** Reads a mount; `expand` fills the variables of a value. Throws a Fault. */
export function parseMount(text: string, expand: (word: string) => string): Mount {
  const draft = new MountDraft();
  for (const field of csvFields(text, 'mounts')) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (equals < 0) draft.setFlag(key, field);
    else draft.set(key, expand(field.slice(equals + 1)), field);
  }
  return draft.finish();
}

class MountDraft {
  #type: MountType = 'bind';
  #readonly: boolean | undefined;
  #required = false;
  #size = 0;
  #sharing: CacheSharing | undefined;
  readonly #numbers: { mode?: number; uid?: number; gid?: number } = {};
  readonly #texts = { from: '', source: '', target: '', id: '' };
  #env: string | undefined;

  setFlag(key: string, field: string): void {
    if (key === 'readonly' || key === 'ro') this.#readonly = true;
    else if (key === 'readwrite' || key === 'rw') this.#readonly = false;
    else if (key === 'required') this.#setRequired(key, true);
    else throw new Fault('mount', `invalid field '${field}' must be a key=value pair`);
  }

  set(key: string, value: string, field: string): void {
    switch (key) {
      case 'type':
        this.#type = oneOf(TYPES, value, 'unsupported mount type');
        return;
      case 'from':
      case 'source':
      case 'target':
      case 'id':
        this.#texts[key] = value;
        return;
      case 'src':
        this.#texts.source = value;
        return;
      case 'dst':
      case 'destination':
        this.#texts.target = value;
        return;
      case 'readonly':
      case 'ro':
        this.#readonly = bool(key, value);
        return;
      case 'readwrite':
      case 'rw':
        this.#readonly = !bool(key, value);
        return;
      case 'required':
        this.#setRequired(key, value);
        return;
      case 'size':
        if (this.#type !== 'tmpfs') throw this.#unexpected(key);
        this.#size = size(key, value);
        return;
      case 'sharing':
        this.#sharing = oneOf(SHARING, value, 'unsupported sharing value');
        return;
      case 'mode':
      case 'uid':
      case 'gid':
        this.#numbers[key] = unsigned(key, value, key === 'mode' ? 8 : 10);
        return;
      case 'env':
        this.#env = value;
        return;
      default:
        throw new Fault('mount', withSuggestion(`unexpected key '${key}' in '${field}'`, key, KEYS, true));
    }
  }

  finish(): Mount {
    const type = this.#type;
    if (type === 'bind' || type === 'tmpfs') {
      for (const key of ['mode', 'uid', 'gid'] as const) {
        if (this.#numbers[key] !== undefined)
          throw new Fault('mount', `${key} not allowed for ${quote(type)} type mounts`);
      }
    }
    if (type === 'secret') this.#checkSecret();
    if (this.#sharing !== undefined && type !== 'cache') {
      throw new Fault('mount', `invalid cache sharing set for ${type} mount`);
    }
    return {
      type,
      ...this.#texts,
      readonly: this.#readonly ?? (type !== 'cache' && type !== 'tmpfs'),
      size: this.#size,
      sharing: this.#sharing,
      required: this.#required,
      env: this.#env,
      mode: this.#numbers.mode,
      uid: this.#numbers.uid,
      gid: this.#numbers.gid,
    };
  }

  #checkSecret(): void {
    const { from, source, target, id } = this.#texts;
    if (from !== '') throw new Fault('mount', 'secret mount should not have a from');
    if (this.#sharing !== undefined) throw new Fault('mount', 'secret mount should not define sharing');
    if (source === '' && target === '' && id === '') {
      throw new Fault('mount', 'invalid secret mount. one of source, target required');
    }
    if (source !== '' && id !== '') throw new Fault('mount', "both source and id can't be set");
  }

  #setRequired(key: string, value: string | true): void {
    if (this.#type !== 'secret' && this.#type !== 'ssh') throw this.#unexpected(key);
    this.#required = value === true || bool(key, value);
  }

  #unexpected(key: string): Fault {
    return new Fault('mount', `unexpected key '${key}' for mount type '${this.#type}'`);
  }
}

function oneOf<T extends string>(options: readonly T[], value: string, problem: string): T {
  const found = options.find((option) => option === value.toLowerCase());
  if (found !== undefined) return found;
  const near = suggestion(value, options, true);
  throw new Fault('mount', `${problem} ${quote(value)}${near === undefined ? '' : ` (did you mean ${near}?)`}`);
}

function bool(key: string, value: string): boolean {
  const parsed = parseBool(value);
  if (parsed === undefined) throw new Fault('mount', `invalid value for ${key}: ${value}`);
  return parsed;
}

function unsigned(key: string, value: string, radix: 8 | 10): number {
  const number = (radix === 8 ? /^[0-7]+$/ : /^\d+$/).test(value) ? parseInt(value, radix) : Number.NaN;
  if (!(number <= 0xffffffff)) throw new Fault('mount', `invalid value ${value} for ${key}`);
  return number;
}

function size(key: string, value: string): number {
  const bytes = parseSize(value);
  if (bytes === undefined) throw new Fault('mount', `invalid value for ${key}: ${value}`);
  return bytes;
}
