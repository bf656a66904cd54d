import type { ContainerConfig, ImageConfig } from './image-config.js';

/** RFC 3339, section 5.6. */
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const PORT = /^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/;

/** What is wrong with an image config by the image-spec, `config.md`, one sentence each. */
export function configFaults(config: ImageConfig): readonly string[] {
  const faults: string[] = [];
  if (config.os === '') faults.push('`os` is empty');
  if (config.architecture === '') faults.push('`architecture` is empty');
  if (config.created !== undefined && !isTime(config.created))
    faults.push(`\`created\` is no time: \`${config.created}\``);
  return [...faults, ...historyFaults(config), ...containerFaults(config.config ?? {})];
}

function historyFaults({ history, rootfs }: ImageConfig): readonly string[] {
  if (!history || history.length === 0) return [];
  const faults = history
    .map(({ created }) => created)
    .filter((created) => created !== undefined && !isTime(created))
    .map((created) => `a \`created\` of the history is no time: \`${created}\``);
  const layers = history.filter((entry) => !entry.empty_layer).length;
  if (layers === rootfs.diff_ids.length) return faults;
  return [...faults, `the history tells of ${layers} layers, \`rootfs\` of ${rootfs.diff_ids.length}`];
}

function containerFaults(config: ContainerConfig): readonly string[] {
  const { Env = [], ExposedPorts = {}, Volumes = {}, WorkingDir = '' } = config;
  const faults = Env.filter((one) => one.indexOf('=') < 1).map(
    (one) => `\`Env\` has \`${one}\`, which is no NAME=value`,
  );
  const names = Env.map((one) => one.slice(0, one.indexOf('=')));
  for (const name of new Set(names.filter((one, i) => names.indexOf(one) !== i))) {
    faults.push(`\`Env\` has \`${name}\` twice`);
  }
  for (const port of Object.keys(ExposedPorts)) {
    if (!PORT.test(port)) faults.push(`\`ExposedPorts\` has \`${port}\``);
  }
  for (const volume of Object.keys(Volumes)) if (volume === '') faults.push('`Volumes` has an empty name');
  if (WorkingDir !== '' && !WorkingDir.startsWith('/'))
    faults.push(`\`WorkingDir\` is not absolute: \`${WorkingDir}\``);
  return faults;
}

function isTime(text: string): boolean {
  return TIME.test(text) && !Number.isNaN(Date.parse(text));
}
