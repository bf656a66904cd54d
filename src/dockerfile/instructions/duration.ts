import { Fault } from '../diagnostic.js';
import { quote } from '../go-text.js';

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  '\u00b5s': 1e3,
  '\u03bcs': 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** A duration such as `1m30s` in nanoseconds, as Go's `time.ParseDuration`. Throws a Fault in its words. */
export function parseDuration(text: string): number {
  const sign = /^[-+]/.exec(text)?.[0] ?? '';
  let rest = text.slice(sign.length);
  if (rest === '0') return 0;
  let total = 0;
  if (rest === '') throw invalid(text);
  while (rest !== '') {
    const number = /^(?:\d+(?:\.\d*)?|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw invalid(text);
    rest = rest.slice(number.length);
    const unit = /^[^\d.]*/.exec(rest)![0];
    if (unit === '') throw new Fault('duration', `time: missing unit in duration ${quote(text)}`);
    const factor = Object.hasOwn(NANOSECONDS, unit) ? NANOSECONDS[unit]! : undefined;
    if (factor === undefined) {
      throw new Fault('duration', `time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    total += Math.trunc(Number(number) * factor);
    rest = rest.slice(unit.length);
  }
  if (total > 2 ** 63) throw invalid(text);
  return sign === '-' ? -total : total;
}

function invalid(text: string): Fault {
  return new Fault('duration', `time: invalid duration ${quote(text)}`);
}

/** Nanoseconds as Go prints a `time.Duration`: `1m30s`, `1.5s`, `300ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 0) return `-${formatDuration(-nanoseconds)}`;
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${decimal(nanoseconds, 1e3)}\u00b5s`;
  if (nanoseconds < 1e9) return `${decimal(nanoseconds, 1e6)}ms`;
  const hours = Math.floor(nanoseconds / 3600e9);
  const minutes = Math.floor((nanoseconds % 3600e9) / 60e9);
  const seconds = `${decimal(nanoseconds % 60e9, 1e9)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

function decimal(value: number, unit: number): string {
  const fraction = String(value % unit)
    .padStart(String(unit).length - 1, '0')
    .replace(/0+$/, '');
  return `${Math.floor(value / unit)}${fraction === '' ? '' : `.${fraction}`}`;
}
