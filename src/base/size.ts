const POWERS = 'kmgtp';

/** `10m`, `1.5GiB`, `4096`: bytes, units are powers of 1024. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^([0-9.]+) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  const number = Number(match?.[1]);
  if (match === null || Number.isNaN(number)) return undefined;
  const power = match[2] === undefined ? 0 : POWERS.indexOf(match[2].toLowerCase()) + 1;
  return Math.trunc(number * 1024 ** power);
}
