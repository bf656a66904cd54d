import { examineMachine, openStore } from '../../build/index.js';
import { formatTable } from '../../report/format.js';
import { requireFormat } from './format-flag.js';

interface DoctorFlags {
  readonly root?: string;
  readonly format: string;
  readonly isolation?: string;
}

/** Exit code 1 when RUN is not possible here. */
export async function run(flags: DoctorFlags, signal: AbortSignal): Promise<void> {
  requireFormat(flags.format);
  await using opened = await openStore(flags.root, signal);
  const report = await examineMachine(opened.store, flags.isolation, { signal });
  if (!report.chosen) process.exitCode = 1;
  if (flags.format === 'json') {
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    return;
  }
  const rows = report.rungs.map((rung) => [
    rung.name === report.chosen?.rung ? '*' : '',
    rung.name,
    rung.available ? 'yes' : 'no',
    rung.reason,
  ]);
  const hints = report.rungs.flatMap((rung) =>
    rung.hint === undefined ? [] : [`to get \`${rung.name}\`: ${rung.hint}\n`],
  );
  const chosen = report.chosen
    ? `RUN uses \`${report.chosen.rung}\`: ${report.chosen.reason}\n`
    : 'RUN is not possible on this machine; builds without RUN are\n';
  process.stdout.write(
    `store: ${report.store.root} (${report.store.fileSystem}), uid ${report.user.uid}\n\n` +
      formatTable([['', 'ISOLATION', 'POSSIBLE', 'WHY'], ...rows]) +
      `\n${chosen}${hints.join('')}`,
  );
}
