import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { hasCode } from '../src/base/errors.js';

const SAMPLE_MS = 20;
const SAID = 6000;

export interface MeasureOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Whether a process with these arguments counts for the memory. */
  readonly isOwn?: (argv: readonly string[]) => boolean;
}

export interface Measured {
  readonly seconds: number;
  /** stdout and stderr, as they came. */
  readonly output: string;
  /** Bytes: what the processes that count had at most, each at its time, added up. */
  readonly peak: number;
}

/** Runs a command to its end. Throws with what it said last when it fails. */
export async function measure([program, ...args]: readonly string[], opts: MeasureOptions): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: opts.env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const peaks = new Map<number, number>();
  const { isOwn } = opts;
  const sampling = isOwn && setInterval(() => notePeaks(child.pid!, isOwn, peaks), SAMPLE_MS);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(sampling);
  const seconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) {
    throw new Error(`\`${[program, ...args].join(' ')}\` ended with code ${String(code)}:\n${output.slice(-SAID)}`);
  }
  return { seconds, output, peak: [...peaks.values()].reduce((sum, one) => sum + one, 0) };
}

/**
 * The kernel's own high-water marks: between two samples nothing is missed but the end of a process. A child that has not
 * executed anything yet still has its parent's arguments, and its parent's pages, which would be counted twice.
 */
function notePeaks(root: number, isOwn: (argv: readonly string[]) => boolean, peaks: Map<number, number>): void {
  const parents = below(root);
  for (const [pid, parent] of [[root, undefined] as const, ...parents]) {
    const cmdline = readIfThere(`/proc/${pid}/cmdline`);
    if (!cmdline || !isOwn(cmdline.split('\0'))) continue;
    if (parent !== undefined && cmdline === readIfThere(`/proc/${parent}/cmdline`)) continue;
    const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(readIfThere(`/proc/${pid}/status`) ?? '')?.[1] ?? 0);
    peaks.set(pid, Math.max(peaks.get(pid) ?? 0, kilobytes * 1024));
  }
}

/** The processes below one, and their parents. */
function below(root: number): ReadonlyMap<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readIfThere(`/proc/${name}/stat`) : undefined;
    if (stat) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (parents.get(pid) === root || isBelow(parents.get(pid)));
  return new Map([...parents].filter(([pid]) => isBelow(pid)));
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined; // the process has ended
    throw error;
  }
}

/** Of at least one value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
