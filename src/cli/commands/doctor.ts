import { examineMachine, openStore, type MachineReport } from '../../build/index.js';
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
  const text = flags.format === 'json' ? `${JSON.stringify(report, undefined, 2)}\n` : asText(report, flags.isolation);
  process.stdout.write(text);
}

function asText({ store, user, machine, rungs, chosen, network, findings }: MachineReport, wanted = 'auto'): string {
  const rows = rungs.map((rung) => [
    rung.name === chosen?.rung ? '*' : '',
    rung.name,
    rung.available ? 'yes' : 'no',
    rung.reason,
  ]);
  const surroundings = [
    machine.container === undefined ? [] : `in a container (${machine.container})`,
    machine.ci === undefined ? [] : `in a job of ${machine.ci === 'other' ? 'a CI' : machine.ci}`,
  ].flat();
  const place = [`store: ${store.root} (${store.fileSystem})`, `uid ${user.uid}`, ...surroundings].join(', ');
  const result = chosen
    ? `RUN uses \`${chosen.rung}\`: ${chosen.reason}`
    : wanted === 'auto'
      ? 'RUN is not possible on this machine; builds without RUN are'
      : `RUN is not possible here with \`--isolation=${wanted}\``;
  return [
    place,
    '',
    formatTable([['', 'ISOLATION', 'POSSIBLE', 'WHY'], ...rows]),
    result,
    ...(network ? [networkLine(network)] : []),
    ...findings.map(asAdvice),
    '',
  ].join('\n');
}

function networkLine(report: NonNullable<MachineReport['network']>): string {
  switch (report.network) {
    case 'own':
      return `RUN has a network of its own, ${report.reason}`;
    case 'machine':
      return `RUN has the network of this machine: ${report.reason}`;
    case 'failed':
      return `RUN without \`--network\` fails: ${report.reason}${report.hint === undefined ? '' : `; ${report.hint}`}`;
  }
}

function asAdvice({ code, what, rungs, remedies }: MachineReport['findings'][number]): string {
  const lines = remedies.flatMap(({ how, text }, i) => [
    `  ${i === 0 ? '' : 'or '}${how}${text === undefined ? '' : ':'}`,
    ...(text === undefined ? [] : text.split('\n').map((line) => (line === '' ? '' : `    ${line}`))),
  ]);
  return ['', `${code} (${rungs.join(', ')}): ${what}`, ...lines].join('\n');
}
