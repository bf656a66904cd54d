import { existsSync } from 'node:fs';
import path from 'node:path';
import { build, BuildError, type BuildResult } from '../../build/index.js';
import type { BuildEvent } from '../../job/events.js';
import { warningSummary } from '../../report/dockerfile/check-text.js';
import { RunFailedError } from '../../worker/run-failed.js';
import { buildSummary } from '../commands/build-summary.js';
import { reportError } from '../output/error.js';
import { LogTail } from '../output/log-tail.js';
import { isTold, openSink, type ProgressMode } from '../output/sink.js';
import { version } from '../version.js';
import { buildOptionsOf } from './build-options.js';
import { imageDigest, requireDigestFiles, writeDigestFiles } from './digest-files.js';
import { KANIKO_FLAGS, type KanikoFlag } from './flags.js';
import { helpText } from './help.js';
import { GivenFlags, parseFlags } from './parse-flags.js';

/**
 * kaniko's executor: builds and pushes what its flags say, and writes the digest to stdout. Gives the exit code, kaniko's:
 * 0, that of a RUN which failed, 1 for every other failure; 130 when interrupted.
 */
export async function run(words: readonly string[], signal: AbortSignal): Promise<number> {
  try {
    if (words[0] === 'version') process.stdout.write(`Slipway version : ${version()}\n`);
    else {
      const flags = parseFlags(words);
      if (flags.boolean('help')) process.stdout.write(helpText());
      else await buildAndPush(flags, signal);
    }
    return 0;
  } catch (error) {
    const code = reportError(error);
    return error instanceof RunFailedError ? error.exitCode : code === 130 ? code : 1;
  }
}

async function buildAndPush(flags: GivenFlags, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  const mode = progressMode(flags);
  useCredentials(flags);
  requireDigestFiles(flags);
  const options = buildOptionsOf(flags, process.env);
  tellNotes(flags, mode);
  const sink = openSink(mode);
  const tail = new LogTail();
  const warnings: Extract<BuildEvent, { readonly type: 'check' }>[] = [];
  let result: BuildResult;
  try {
    result = await build({
      ...options,
      signal,
      emit: (event) => {
        tail.event(event);
        if (event.type === 'check') warnings.push(event);
        sink.event(event);
      },
    });
  } catch (error) {
    sink.close();
    if (isTold(mode)) process.stderr.write(warningSummary(warnings));
    if (!signal.aborted && mode !== 'rawjson') process.stderr.write(tail.text());
    throw error;
  }
  sink.close();
  const digest = imageDigest(result);
  if (digest === undefined) throw new Error('a build of an image gave no digest');
  await writeDigestFiles(flags, digest);
  for (const name of unmoved(result)) tellNote(`${name} stays what it was: the registry moves no tags`, mode);
  if (isTold(mode)) {
    process.stderr.write(buildSummary(result, Date.now() - startedAt));
    process.stderr.write(warningSummary(warnings));
  }
  process.stdout.write(`${digest}\n`);
}

const VERBOSITIES: Readonly<Record<string, ProgressMode>> = {
  trace: 'plain',
  debug: 'plain',
  info: 'plain',
  warn: 'quiet',
  warning: 'quiet',
  error: 'quiet',
  fatal: 'quiet',
  panic: 'quiet',
};

function progressMode(flags: GivenFlags): ProgressMode {
  const verbosity = flags.text('verbosity') ?? 'info';
  const mode = VERBOSITIES[verbosity];
  if (mode === undefined) {
    throw new BuildError('USAGE', `unknown verbosity \`${verbosity}\``, {
      hint: `it may be: ${Object.keys(VERBOSITIES).join(', ')}`,
    });
  }
  const format = flags.text('log-format') ?? 'color';
  if (!['text', 'color', 'json'].includes(format)) {
    throw new BuildError('USAGE', `unknown log format \`${format}\``, { hint: 'it may be: text, color, json' });
  }
  return format === 'json' && mode !== 'quiet' ? 'rawjson' : mode;
}

/** kaniko's image sets DOCKER_CONFIG to its own folder; elsewhere Docker's holds. */
function useCredentials(flags: GivenFlags): void {
  const dir = path.join(flags.text('kaniko-dir') ?? process.env['KANIKO_DIR'] ?? '/kaniko', '.docker');
  const isNamed = flags.text('kaniko-dir') !== undefined;
  const isSet = Boolean(process.env['DOCKER_CONFIG']);
  if (isNamed || (!isSet && existsSync(path.join(dir, 'config.json')))) process.env['DOCKER_CONFIG'] = dir;
}

/** A line for each flag that changes nothing here, and why. */
function tellNotes(flags: GivenFlags, mode: ProgressMode): void {
  if (mode === 'quiet') return;
  for (const name of flags.names) {
    const { effect, meaning }: KanikoFlag = KANIKO_FLAGS.find((flag) => flag.name === name)!;
    if (effect !== 'none') continue;
    tellNote(`--${name} has no effect: ${meaning}`, mode);
  }
}

function tellNote(text: string, mode: ProgressMode): void {
  process.stderr.write(mode === 'rawjson' ? `${JSON.stringify({ level: 'info', msg: text })}\n` : `note: ${text}\n`);
}

/** Names that the image was pushed to, and that stand for something else. */
function unmoved({ names, pushed, outputs }: BuildResult): readonly string[] {
  const isPushed = outputs.some(({ type, stored }) => type === 'image' && stored === undefined);
  return isPushed ? names.filter((name) => !pushed.some((one) => one.name === name)) : [];
}
