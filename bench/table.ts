import { median } from './measure.js';
import type { Workload } from './workloads/workload.js';

/** What one builder took for one workload. */
export interface Figures {
  readonly builder: string;
  /** One a run, in order. */
  readonly seconds: readonly number[];
  /** The same without the time in which a RUN was running; there where that is what counts. */
  readonly beyondRuns?: readonly number[];
  /** Bytes of memory; absent where it was not asked. */
  readonly peak?: number;
}

export interface WorkloadResult {
  readonly id: string;
  readonly title: string;
  readonly goal?: Workload['goal'];
  readonly figures: readonly Figures[];
}

const HEAD = ['', 'builder', 'median s', 'min', 'max', 'beyond RUN', 'slipway is', 'goal', 'peak MB'];

/** What counts of a builder's figures, as one number of seconds. */
function counted({ seconds, beyondRuns }: Figures): number {
  return median(beyondRuns ?? seconds);
}

/** How many times the peer's time Slipway took; undefined without that peer. */
export function ratioTo(peer: string, { figures }: WorkloadResult): number | undefined {
  const [own, other] = ['slipway', peer].map((name) => figures.find(({ builder }) => builder === name));
  return own && other && counted(own) / counted(other);
}

/** As Markdown, which is read well enough as text too. */
export function table(results: readonly WorkloadResult[]): string {
  const rows = results.flatMap((result) => result.figures.map((figures, i) => row(result, figures, i === 0)));
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(3, ...all.map((cells) => cells[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(HEAD), line(rule), ...rows.map(line)].join('\n');
}

function row(result: WorkloadResult, figures: Figures, isFirst: boolean): readonly string[] {
  const { builder, seconds, beyondRuns, peak } = figures;
  const ratio = builder === 'slipway' ? undefined : ratioTo(builder, result);
  const isGoal = result.goal?.peer === builder;
  return [
    isFirst ? `${result.id} ${result.title}` : '',
    builder,
    ...[median(seconds), Math.min(...seconds), Math.max(...seconds)].map((one) => one.toFixed(3)),
    beyondRuns ? median(beyondRuns).toFixed(3) : '',
    ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
    isGoal ? `≤ ${result.goal.ratio} ×` : '',
    peak === undefined ? '' : String(Math.round(peak / 1e6)),
  ];
}
