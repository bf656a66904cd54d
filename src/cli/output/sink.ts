import { BuildError } from '../../base/errors.js';
import type { BuildEvent } from '../../job/events.js';
import { plainSink } from './plain.js';
import { rawJsonSink } from './rawjson.js';
import { ttySink } from './tty.js';

/** Draws the events of a job. Never changes one. */
export interface Sink {
  event(event: BuildEvent): void;
  /** Called once, when the job is over, before anything else is printed. */
  close(): void;
}

export const PROGRESS_MODES = ['auto', 'tty', 'plain', 'quiet', 'none', 'rawjson'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/**
 * The mode that is asked for: by `--quiet`, else by `--progress`, else by BUILDKIT_PROGRESS. Throws USAGE for a mode
 * that there is not, and for `--quiet` with `--progress=rawjson`.
 */
export function progressMode(
  { quiet, progress }: { readonly quiet?: boolean; readonly progress?: string },
  env: NodeJS.ProcessEnv,
): ProgressMode {
  const asked = modeOf(progress ?? 'auto', '--progress');
  if (quiet) {
    if (asked !== 'rawjson') return 'quiet';
    throw new BuildError('USAGE', `\`--progress=${asked}\` and \`--quiet\` cannot be used together`, {
      hint: 'leave one of them out',
    });
  }
  const inherited = env['BUILDKIT_PROGRESS'];
  return asked === 'auto' && inherited ? modeOf(inherited, 'BUILDKIT_PROGRESS') : asked;
}

function modeOf(text: string, where: string): ProgressMode {
  const mode = PROGRESS_MODES.find((one) => one === text);
  if (mode !== undefined) return mode;
  throw new BuildError('USAGE', `invalid progress mode \`${text}\` in \`${where}\``, {
    hint: `the modes are: ${PROGRESS_MODES.join(', ')}`,
  });
}

/** Whether a person is told how it went; a program reads nothing but the events, or nothing at all. */
export function isTold(mode: ProgressMode): boolean {
  return mode !== 'quiet' && mode !== 'none' && mode !== 'rawjson';
}

/** `auto` draws where stderr is a terminal, and writes lines where it is not. */
export function openSink(mode: ProgressMode): Sink {
  if (mode === 'quiet' || mode === 'none') return { event: () => undefined, close: () => undefined };
  if (mode === 'rawjson') return rawJsonSink((text) => process.stderr.write(text));
  if (mode === 'tty' || (mode === 'auto' && process.stderr.isTTY)) return ttySink(process.stderr);
  return plainSink((text) => process.stderr.write(text));
}
