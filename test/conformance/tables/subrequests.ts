import path from 'node:path';
import { OutlineCapture } from '../../../src/dockerfile/outline.js';
import { parseDockerfile } from '../../../src/dockerfile/parse.js';
import { targetsOf } from '../../../src/dockerfile/targets.js';
import { convertDockerfile } from '../../../src/dockerfile/to-llb/convert.js';
import { parsePlatform } from '../../../src/oci/platform.js';
import { outlineJson, outlineText } from '../../../src/report/dockerfile/outline.js';
import { targetsJson, targetsText } from '../../../src/report/dockerfile/targets.js';
import { TarImages } from '../config.js';
import { checkTableAsync, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly dockerfile: string;
  readonly options: Readonly<Record<string, string>>;
  readonly result: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export async function run(conformanceDir: string): Promise<Report> {
  const bases = new TarImages(path.join(conformanceDir, 'images'));
  return checkTableAsync<Row>(conformanceDir, 'subrequests', async (row) => {
    const [result, text] = row.group === 'frontend.targets' ? targets(row) : await outline(row, bases);
    const { sources, ...rest } = row.result;
    const { sources: ownSources, ...ownRest } = result as Row['result'];
    return (
      difference('result', ownRest, rest) ??
      (sources === undefined ? undefined : difference('sources', ownSources, sources)) ??
      difference('text', text, row.text)
    );
  });
}

function targets({ dockerfile }: Row): readonly [object, string] {
  const found = targetsOf(parseDockerfile(dockerfile));
  return [targetsJson(found, dockerfile), targetsText(found)];
}

async function outline({ dockerfile, options }: Row, bases: TarImages): Promise<readonly [object, string]> {
  const watcher = new OutlineCapture();
  const buildArgs: Record<string, string> = {};
  for (const [name, value] of Object.entries(options)) {
    if (name.startsWith('build-arg:')) buildArgs[name.slice('build-arg:'.length)] = value;
  }
  const target = options['target'] ?? '';
  const convertOptions = { buildPlatform: parsePlatform('linux/amd64'), buildArgs, target, watcher };
  const { signal } = new AbortController();
  await convertDockerfile(parseDockerfile(dockerfile), convertOptions, bases.named(new Map()), { signal });
  const found = watcher.outline();
  return [outlineJson(found, dockerfile), outlineText(found)];
}
