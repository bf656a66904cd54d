import type { Outline, OutlineMount } from '../../dockerfile/outline.js';
import { base64, locationJson, withoutEmpty } from './location.js';
import { tabColumns } from './tab-columns.js';

/** As BuildKit's `frontend.outline` gives it. */
export function outlineJson({ name, description, args, secrets, ssh }: Outline, source: string): object {
  const mounts = (all: readonly OutlineMount[]): readonly object[] =>
    all.map((one) => withoutEmpty({ name: one.name, required: one.required, location: locationJson(one.range) }));
  return withoutEmpty({
    name,
    description,
    args: args.map(({ range, ...arg }) => withoutEmpty({ ...arg, location: locationJson(range) })),
    secrets: mounts(secrets),
    ssh: mounts(ssh),
    sources: [base64(source)],
  });
}

/** As `docker buildx build --call=outline` prints it. */
export function outlineText({ name, description, args, secrets, ssh }: Outline): string {
  const head = [
    ['TARGET:', name === '' ? '(default)' : name],
    ...(description === '' ? [] : [['DESCRIPTION:', description]]),
  ];
  const parts = [
    ...(name === '' && description === '' ? [] : [tabColumns(head, 1)]),
    ...(args.length === 0 ? [] : [tabColumns([ARGS, ...args.map((arg) => [arg.name, arg.value, arg.description])], 3)]),
    ...[['SECRET', secrets] as const, ['SSH', ssh] as const].flatMap(([title, mounts]) => {
      const rows = mounts.map((one) => [one.name, one.required ? 'true' : '']);
      return rows.length === 0 ? [] : [tabColumns([[title, 'REQUIRED'], ...rows], 3)];
    }),
  ];
  return parts.map((part) => `${part}\n`).join('');
}

const ARGS = ['BUILD ARG', 'VALUE', 'DESCRIPTION'];
