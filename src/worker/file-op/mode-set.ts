import { BuildError } from '../../base/errors.js';

/** What one clause of a symbolic mode does to the bits, in order. */
type Step =
  | { readonly kind: 'set' | 'clear' | 'set-if-executable'; readonly bits: number }
  | {
      readonly kind: 'copy';
      readonly from: 'u' | 'g' | 'o';
      readonly to: readonly number[];
      readonly set: boolean;
      readonly clear: boolean;
    };

/** Changes a mode (12 bits); `isDir` decides what `X` does. */
export type ModeChange = (mode: number, isDir: boolean) => number;

const STICKY = 0o1000;
/** Everything but the sticky bit, which only `t` names. */
const STANDARD = 0o6777;
const WHO: Readonly<Record<string, number>> = { a: STANDARD, u: 0o4700, g: 0o2070, o: 0o0007 };
const SHIFT = { u: 6, g: 3, o: 0 } as const;

/**
 * A symbolic mode (`u=rwX,go+r-w,g=u`) as BSD's chmod and BuildKit read it, with umask 0. An octal mode is taken too.
 * Throws BuildError COPY_FAILED `invalid syntax`.
 */
export function parseMode(text: string): ModeChange {
  if (/^[0-9]/.test(text)) {
    const octal = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
    if (!(octal <= 0o7777)) throw invalid(text);
    return () => octal;
  }
  const steps: Step[] = [];
  for (const clause of text.split(',')) parseClause(clause, text, steps);
  return (mode, isDir) => steps.reduce((now, step) => apply(step, now, mode, isDir), mode);
}

function parseClause(clause: string, text: string, steps: Step[]): void {
  const [who, rest] = /^([augo]*)(.*)$/s.exec(clause)!.slice(1) as [string, string];
  if (rest === '') throw invalid(text);
  let classes = [...who].reduce((bits, one) => bits | WHO[one]!, 0);
  let equalDone = false;
  const operations = /([-+=])([rwxXstugo]*)/gy;
  let end = 0;
  for (const [whole, op, permissions] of rest.matchAll(operations)) {
    end += whole.length;
    if (op === '=') equalDone = false;
    classes &= ~STICKY;
    let bits = 0;
    let bitsIfExecutable = 0;
    const flush = (atEnd: boolean): void => {
      if (bits !== 0 || (atEnd && op === '=' && !equalDone)) {
        if (op === '=') equalDone = true;
        addBits(op as Operator, classes, bits, steps);
        bits = 0;
      }
      if (bitsIfExecutable !== 0) steps.push({ kind: 'set-if-executable', bits: within(classes, bitsIfExecutable) });
      bitsIfExecutable = 0;
    };
    for (const permission of permissions!) {
      const special = classes === 0 || (classes & ~0o7) !== 0; // `o+s` and `o+t` change nothing
      if (permission === 'r') bits |= 0o444;
      else if (permission === 'w') bits |= 0o222;
      else if (permission === 'x') bits |= 0o111;
      else if (permission === 'X' && op === '-') bits |= 0o111;
      else if (permission === 'X') bitsIfExecutable |= 0o111;
      else if (permission === 's') bits |= special ? 0o6000 : 0;
      else if (permission === 't') {
        if (special) classes |= STICKY;
        bits |= special ? STICKY : 0;
      } else {
        flush(false);
        if (op === '=') equalDone = true;
        const to = (['u', 'g', 'o'] as const).filter((one) => classes === 0 || (classes & (0o4 << SHIFT[one])) !== 0);
        steps.push({
          kind: 'copy',
          from: permission as 'u' | 'g' | 'o',
          to: to.map((one) => SHIFT[one]),
          set: op !== '-',
          clear: op !== '+',
        });
      }
    }
    flush(true);
  }
  if (end !== rest.length) throw invalid(text);
}

type Operator = '+' | '-' | '=';

function addBits(op: Operator, classes: number, bits: number, steps: Step[]): void {
  if (op === '=') steps.push({ kind: 'clear', bits: classes === 0 ? STANDARD : classes });
  steps.push({ kind: op === '-' ? 'clear' : 'set', bits: within(classes, bits) });
}

function within(classes: number, bits: number): number {
  return classes === 0 ? bits : classes & bits;
}

function apply(step: Step, now: number, before: number, isDir: boolean): number {
  switch (step.kind) {
    case 'set':
      return now | step.bits;
    case 'clear':
      return now & ~step.bits;
    case 'set-if-executable':
      return isDir || (before & 0o111) !== 0 ? now | step.bits : now;
    case 'copy': {
      const value = (now >> SHIFT[step.from]) & 0o7;
      let next = now;
      for (const shift of step.to) {
        if (step.clear) next &= ~((step.set ? 0o7 : value) << shift);
        if (step.set) next |= value << shift;
      }
      return next;
    }
  }
}

function invalid(text: string): BuildError {
  return new BuildError('COPY_FAILED', 'invalid syntax', {
    hint: `\`${text}\` is neither octal nor of the form \`u=rwX,go=rX\``,
  });
}
