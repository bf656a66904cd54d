import type { Comparison } from './comparison.js';
import { formatDuration, formatSize, formatTable } from './format.js';
import type { ImageFacts } from './image-facts.js';

/** The before/after table. */
export function comparisonText({ a, b, saved }: Comparison): string {
  const row = (label: string, show: (facts: ImageFacts) => string, change = ''): string[] => [
    label,
    show(a),
    show(b),
    change,
  ];
  const table = formatTable([
    ['', a.name, b.name, 'CHANGE'],
    row('size', (facts) => formatSize(facts.size), percent(-saved)),
    row('layers', (facts) => String(facts.layers), difference(a.layers, b.layers)),
    row('files', (facts) => String(facts.files), difference(a.files, b.files)),
    row('OS packages', packages, difference(a.osPackages?.count, b.osPackages?.count)),
    row('user', (facts) => facts.user),
    row('build time', (facts) => (facts.buildMs === undefined ? 'unknown' : formatDuration(facts.buildMs))),
  ]);
  return `${table}${verdict(a, b, saved)}\n`;
}

function packages({ osPackages }: ImageFacts): string {
  return osPackages ? `${osPackages.count} (${osPackages.manager})` : 'no database';
}

function difference(from: number | undefined, to: number | undefined): string {
  if (from === undefined || to === undefined || from === to) return '';
  return to > from ? `+${to - from}` : String(to - from);
}

function percent(share: number): string {
  return share === 0 ? '' : `${share > 0 ? '+' : ''}${(share * 100).toFixed(1)} %`;
}

function verdict(a: ImageFacts, b: ImageFacts, saved: number): string {
  if (saved === 0) return `${b.name} is as big as ${a.name}`;
  const by = `${(Math.abs(saved) * 100).toFixed(1)} % ${saved > 0 ? 'smaller' : 'bigger'}`;
  return `${b.name} is ${by} than ${a.name}`;
}
