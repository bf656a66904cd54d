/**
 * Seconds in which at least one RUN was running, by the `bench<NANOSECONDS` and `bench>NANOSECONDS` that each prints when
 * it begins and when it ends. Their commands are shown as well, so only lines with a number count.
 */
export function secondsInRuns(output: string): number {
  const marks = [...output.matchAll(/bench([<>])(\d{19})\b/g)].map(([, kind, at]) => ({ kind, at: BigInt(at!) }));
  marks.sort((a, b) => Number(a.at - b.at));
  let [running, total, since] = [0, 0n, 0n];
  for (const { kind, at } of marks) {
    if (kind === '<') {
      if (running === 0) since = at;
      running++;
    } else if (--running === 0) total += at - since;
  }
  if (running !== 0) throw new Error(`a RUN did not say when it ended:\n${output}`);
  return Number(total) / 1e9;
}
