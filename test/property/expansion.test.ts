import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expand } from '../../src/dockerfile/expand/expand.js';

/** A word as the grammar has it: parts one after the other. */
type Part =
  | { readonly kind: 'text' | 'escaped' | 'single'; readonly text: string }
  | { readonly kind: 'double'; readonly parts: readonly Part[] }
  | { readonly kind: 'bare' | 'braced'; readonly name: string }
  | {
      readonly kind: 'choice';
      readonly name: string;
      readonly operator: ':-' | '-' | ':+' | '+';
      readonly word: readonly Part[];
    }
  | {
      readonly kind: 'trim';
      readonly name: string;
      readonly operator: '#' | '##' | '%' | '%%';
      readonly pattern: string;
    }
  | {
      readonly kind: 'replace';
      readonly name: string;
      readonly every: boolean;
      readonly pattern: string;
      readonly by: string;
    };

const NAMES = ['a', 'b', 'empty', 'unset'];
const name = fc.constantFrom(...NAMES);
const text = fc.stringMatching(/^[xy .:=/,-]{1,4}$/).filter((some) => !some.includes('/'));
const pattern = fc.stringMatching(/^[xy.*?]{1,4}$/);

const { part } = fc.letrec<{ part: Part; word: readonly Part[] }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.record({ kind: fc.constant('text' as const), text }),
    fc.record({ kind: fc.constant('escaped' as const), text: fc.constantFrom('$', 'x', '"', "'", '\\') }),
    fc.record({ kind: fc.constant('single' as const), text: fc.stringMatching(/^[xy $"]{0,4}$/) }),
    fc.record({ kind: fc.constantFrom('bare' as const, 'braced' as const), name }),
    fc.record({ kind: fc.constant('trim' as const), name, operator: fc.constantFrom('#', '##', '%', '%%'), pattern }),
    fc.record({
      kind: fc.constant('replace' as const),
      name,
      every: fc.boolean(),
      pattern: fc.stringMatching(/^[xy.]{1,3}$/),
      by: fc.stringMatching(/^[xyz]{0,3}$/),
    }),
    fc.record({
      kind: fc.constant('choice' as const),
      name,
      operator: fc.constantFrom(':-', '-', ':+', '+'),
      word: tie('word'),
    }),
    fc.record({
      kind: fc.constant('double' as const),
      parts: fc.array(
        fc.oneof(
          fc.record({ kind: fc.constant('text' as const), text }),
          fc.record({ kind: fc.constant('escaped' as const), text: fc.constantFrom('$', '"', '\\') }),
          fc.record({ kind: fc.constantFrom('braced' as const), name }),
        ),
        { maxLength: 3 },
      ),
    }),
  ) as fc.Arbitrary<Part>,
  word: fc.array(tie('part'), { maxLength: 3 }),
}));

function print(parts: readonly Part[]): string {
  return parts.map((one) => printPart(one)).join('');
}

function printPart(one: Part): string {
  switch (one.kind) {
    case 'text':
      return one.text;
    case 'escaped':
      return `\\${one.text}`;
    case 'single':
      return `'${one.text}'`;
    case 'double':
      return `"${print(one.parts)}"`;
    case 'bare':
      return `$${one.name}`;
    case 'braced':
      return `\${${one.name}}`;
    case 'choice':
      return `\${${one.name}${one.operator}${print(one.word)}}`;
    case 'trim':
      return `\${${one.name}${one.operator}${one.pattern}}`;
    case 'replace':
      return `\${${one.name}${one.every ? '//' : '/'}${one.pattern}/${one.by}}`;
  }
}

type Values = ReadonlyMap<string, string>;

function valueOf(parts: readonly Part[], values: Values): string {
  return parts.map((one) => valueOfPart(one, values)).join('');
}

function valueOfPart(one: Part, values: Values): string {
  if ('text' in one) return one.text;
  if ('parts' in one) return valueOf(one.parts, values);
  const value = values.get(one.name);
  if (!('operator' in one) && !('by' in one)) return value ?? '';
  if (one.kind === 'replace')
    return one.every ? (value ?? '').replaceAll(one.pattern, one.by) : (value ?? '').replace(one.pattern, one.by);
  if (one.kind === 'trim') return trim(value ?? '', one.operator, one.pattern);
  const isSet = one.operator.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
  if (one.operator.endsWith('+')) return isSet ? valueOf(one.word, values) : '';
  return isSet ? value! : valueOf(one.word, values);
}

/** Tries every prefix or suffix. */
function trim(value: string, operator: string, pattern: string): string {
  const lengths = Array.from({ length: value.length + 1 }, (_, i) => i);
  if (operator.length === 2) lengths.reverse();
  const atStart = operator.startsWith('#');
  for (const length of lengths) {
    const end = value.length - length;
    if (globs(atStart ? value.slice(0, length) : value.slice(end), pattern))
      return atStart ? value.slice(length) : value.slice(0, end);
  }
  return value;
}

function globs(subject: string, pattern: string): boolean {
  if (pattern === '') return subject === '';
  if (pattern[0] === '*')
    return globs(subject, pattern.slice(1)) || (subject !== '' && globs(subject.slice(1), pattern));
  return (
    subject !== '' && (pattern[0] === '?' || pattern[0] === subject[0]) && globs(subject.slice(1), pattern.slice(1))
  );
}

const value = fc.stringMatching(/^[xy.]{0,8}$/);

test('expansion is what the grammar says', () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 4 }), value, value, (parts, a, b) => {
      // A name would go on in the text behind it.
      const separated = parts.flatMap((one): readonly Part[] => [one, { kind: 'text', text: ' ' }]);
      const values = new Map([
        ['a', a],
        ['b', b],
        ['empty', ''],
      ]);
      const source = print(separated);
      fc.pre(!/\$[a-z]+[a-z]/.test(source.replace(/\$(a|b|empty|unset)(?![a-z])/g, '')));
      expect(expand(source, values), source).toMatchObject({ text: valueOf(separated, values) });
    }),
    { numRuns: 3000 },
  );
});
