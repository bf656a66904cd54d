import { BuildError } from '../../base/errors.js';
import { build } from '../../build/build.js';
import type { BuildOptions, BuildResult } from '../../build/options.js';
import { parseAnnotation } from '../../exporter/annotations.js';
import type { BuildEvent } from '../../job/events.js';
import { parseAgents, parseHosts, parseSecrets, parseShmSize, parseUlimits } from './build-flags.js';
import { answerCall, parseCall } from './call.js';
import { attestationFlags, buildMetadata, imageId, writeResult } from './build-metadata.js';
import { buildOutputs } from './build-outputs.js';
import { buildSummary } from './build-summary.js';
import { nameValues } from './name-values.js';
import { warningSummary } from '../../report/dockerfile/check-text.js';
import { LogTail } from '../output/log-tail.js';
import { isTold, openSink, progressMode } from '../output/sink.js';

interface BuildFlags {
  readonly root?: string;
  readonly file?: string;
  readonly tag?: readonly string[];
  readonly target?: string;
  readonly buildArg?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly label?: readonly string[];
  readonly annotation?: readonly string[];
  readonly provenance?: string;
  readonly sbom?: string;
  readonly attest?: readonly string[];
  readonly iidfile?: string;
  readonly metadataFile?: string;
  readonly pull?: boolean;
  readonly offline?: boolean;
  readonly platform?: string;
  /** False for `--no-cache`. */
  readonly cache?: boolean;
  readonly output?: readonly string[];
  readonly push?: boolean;
  readonly load?: boolean;
  readonly network?: string;
  readonly cacheFilter?: readonly string[];
  readonly secret?: readonly string[];
  readonly ssh?: readonly string[];
  readonly addHost?: readonly string[];
  readonly ulimit?: readonly string[];
  readonly shmSize?: string;
  readonly allow?: readonly string[];
  readonly isolation?: string;
  readonly trustHostCa?: boolean;
  readonly progress?: string;
  readonly quiet?: boolean;
  readonly call?: string;
  readonly check?: boolean;
}

export async function run(context: string, flags: BuildFlags, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  const mode = progressMode(flags, process.env);
  const options = buildOptions(context, flags, signal);
  const call = parseCall(flags.check ? 'check' : (flags.call ?? 'build'));
  if (call) return await answerCall(call, { ...options, requireBases: true });
  const sink = openSink(mode);
  const tail = new LogTail();
  const warnings: Extract<BuildEvent, { readonly type: 'check' }>[] = [];
  const emit = (event: BuildEvent): void => {
    tail.event(event);
    if (event.type === 'check') warnings.push(event);
    sink.event(event);
  };
  let result: BuildResult;
  try {
    result = await build({ ...options, emit });
  } catch (error) {
    sink.close();
    if (isTold(mode)) process.stderr.write(warningSummary(warnings));
    if (!signal.aborted && mode !== 'rawjson') process.stderr.write(tail.text());
    throw error;
  }
  sink.close();
  const id = imageId(result);
  if (flags.iidfile !== undefined && id !== undefined) await writeResult(flags.iidfile, id);
  if (flags.metadataFile !== undefined) {
    const metadata = buildMetadata(result, warnings, process.env);
    await writeResult(flags.metadataFile, `${JSON.stringify(metadata, undefined, 2)}\n`);
  }
  if (isTold(mode)) {
    process.stderr.write(buildSummary(result, Date.now() - startedAt));
    process.stderr.write(warningSummary(warnings));
  }
  const toStdout = options.outputs?.some((one) => 'dest' in one && one.dest === '-') ?? false;
  const digest = digestOf(result);
  if (digest !== undefined && !toStdout) process.stdout.write(`${digest}\n`);
}

/** By which the image can be found: in a registry, else in the store, else in what was written. */
function digestOf({ pushed, outputs }: BuildResult): string | undefined {
  const stored = outputs.find((output) => output.stored !== undefined)?.stored;
  return pushed[0]?.digest ?? stored ?? outputs.find((output) => output.digest !== undefined)?.digest;
}

function buildOptions(context: string, flags: BuildFlags, signal: AbortSignal): BuildOptions {
  const provenance = attestationFlags(flags, process.env);
  const allow = flags.allow?.flatMap((one) => one.split(','));
  const outputs = buildOutputs({ ...flags, ...(allow && { allow }) });
  return {
    context,
    signal,
    ...(flags.root !== undefined && { root: flags.root }),
    ...(flags.file !== undefined && { file: flags.file }),
    ...(flags.tag !== undefined && { tags: flags.tag }),
    ...(provenance !== undefined && { provenance }),
    ...(flags.target !== undefined && { target: flags.target }),
    ...(flags.platform !== undefined && { platform: flags.platform }),
    ...(flags.isolation !== undefined && { isolation: flags.isolation }),
    ...(flags.network !== undefined && { network: networkMode(flags.network) }),
    ...(outputs && { outputs }),
    ...(flags.cacheFilter !== undefined && { noCacheFilter: flags.cacheFilter.flatMap((one) => one.split(',')) }),
    ...(flags.secret !== undefined && { secrets: parseSecrets(flags.secret, process.env) }),
    ...(flags.ssh !== undefined && { ssh: parseAgents(flags.ssh, process.env) }),
    ...(flags.addHost !== undefined && { addHosts: parseHosts(flags.addHost) }),
    ...(flags.ulimit !== undefined && { ulimits: parseUlimits(flags.ulimit) }),
    ...(flags.shmSize !== undefined && { shmSize: parseShmSize(flags.shmSize) }),
    ...(allow && { allow }),
    buildArgs: nameValues('--build-arg', flags.buildArg ?? [], process.env),
    labels: nameValues('--label', flags.label ?? []),
    annotations: (flags.annotation ?? []).flatMap(parseAnnotation),
    pull: flags.pull ?? false,
    offline: flags.offline ?? /^(1|true)$/i.test(process.env['SLIPWAY_OFFLINE'] ?? ''),
    buildContexts: nameValues('--build-context', flags.buildContext ?? []),
    noCache: flags.cache === false,
    trustHostCa: flags.trustHostCa ?? false,
  };
}

function networkMode(mode: string): 'default' | 'host' | 'none' {
  if (mode === 'default' || mode === 'host' || mode === 'none') return mode;
  throw new BuildError('USAGE', `invalid network \`${mode}\``, { hint: 'the modes are: default, host, none' });
}
