import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { PatternMatcher } from '../../src/dockerfile/ignore/pattern-matcher.js';

const piece = fc.stringMatching(/^[ab.*?]{1,3}$/).filter((some) => !some.includes('**') && !/^\.{1,2}$/.test(some));
const pattern = fc
  .array(fc.oneof({ weight: 3, arbitrary: piece }, { weight: 1, arbitrary: fc.constant('**') }), {
    minLength: 1,
    maxLength: 4,
  })
  .filter((parts) => parts.every((one, i) => one !== '**' || parts[i + 1] !== '**'));
const line = fc.record({ exclusion: fc.boolean(), parts: pattern });
const path = fc.array(fc.stringMatching(/^[ab][ab.]{0,2}$/), { minLength: 1, maxLength: 5 });

/** `**` stands for any number of directories; at the end for whatever is below. */
function matches(parts: readonly string[], names: readonly string[]): boolean {
  const [part, ...rest] = parts;
  const [name, ...below] = names;
  if (part === undefined) return name === undefined;
  if (part === '**' && rest.length === 0) return name !== undefined;
  if (part === '**') return matches(rest, names) || (name !== undefined && matches(parts, below));
  return name !== undefined && matchesName(part, name) && matches(rest, below);
}

function matchesName(part: string, name: string): boolean {
  if (part === '') return name === '';
  if (part[0] === '*') return matchesName(part.slice(1), name) || (name !== '' && matchesName(part, name.slice(1)));
  return name !== '' && (part[0] === '?' || part[0] === name[0]) && matchesName(part.slice(1), name.slice(1));
}

test('the last line that matches a path or a directory above it decides', () => {
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 5 }),
      fc.array(path, { minLength: 1, maxLength: 6 }),
      (lines, paths) => {
        const matcher = new PatternMatcher(
          lines.map(({ exclusion, parts }) => (exclusion ? '!' : '') + parts.join('/')),
        );
        for (const names of paths) {
          const upTo = names.map((_, i) => names.slice(0, i + 1));
          const last = lines.findLast(({ parts }) => upTo.some((some) => matches(parts, some)));
          const wanted = last !== undefined && !last.exclusion;
          expect(matcher.matches(fromText(names.join('/'))), names.join('/')).toBe(wanted);
        }
      },
    ),
    { numRuns: 3000 },
  );
});
