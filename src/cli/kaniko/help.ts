import { formatTable } from '../../report/format.js';
import { KANIKO_FLAGS, type KanikoFlag } from './flags.js';

/** `executor --help`. */
export function helpText(): string {
  const rows = KANIKO_FLAGS.map((flag: KanikoFlag) => [`  ${spelling(flag)}`, meaningOf(flag).replaceAll('`', '')]);
  return [
    'Usage: executor --destination NAME… [flags]',
    '       executor --no-push [flags]',
    '',
    'Builds an image as kaniko does, with Slipway. The flags are those of kaniko’s executor:',
    '',
    `${formatTable(rows).trimEnd()}`,
    '',
  ].join('\n');
}

/** What a flag does here, as `--help` and the page on kaniko say it. */
export function meaningOf({ effect, meaning }: KanikoFlag): string {
  if (effect === 'mapped') return meaning;
  return `${effect === 'none' ? 'no effect' : 'refused'}: ${meaning}`;
}

function spelling({ name, short, takes }: KanikoFlag): string {
  return `${short === undefined ? '    ' : `-${short}, `}--${name}${takes === 'boolean' ? '' : ' …'}`;
}
