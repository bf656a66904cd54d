import { BuildError } from '../base/errors.js';
import { parseIgnoreFile } from '../dockerfile/ignore/ignore-file.js';
import { parseDockerfile } from '../dockerfile/parse.js';
import { convertDockerfile } from '../dockerfile/to-llb/convert.js';
import type { Converted, ConvertOptions, NamedContext } from '../dockerfile/to-llb/options.js';
import type { Edge } from '../llb/types.js';
import { hostPlatform, parsePlatform } from '../oci/platform.js';
import type { BaseImages } from './base-images.js';
import type { DockerfileSource, NamedContexts } from './contexts.js';
import type { BuildOptions } from './options.js';

interface ConvertInput {
  readonly options: ConvertibleOptions;
  readonly file: DockerfileSource;
  /** Text of the ignore file of the main context. */
  readonly ignore: string;
  /** The main context, when it is not a local directory. */
  readonly context?: Edge | undefined;
  readonly named: NamedContexts;
  readonly bases: BaseImages;
}

/** The options of a build that the graph depends on. */
type ConvertibleOptions = Omit<BuildOptions, 'context' | 'file' | 'tags' | 'outputs' | 'root' | 'isolation'>;

/** The graph for a Dockerfile that was found, and what its image will be. Throws DockerfileError, USAGE. */
export async function convertFile(
  { options, file, ignore, context, named, bases }: ConvertInput,
  watching: Pick<ConvertOptions, 'watcher' | 'watchOnly' | 'assumeBases'>,
): Promise<Converted> {
  const dockerfile = parseDockerfile(file.source, { fileName: file.fileName });
  const contexts = new Map<string, NamedContext>();
  for (const [name, context] of named.locals) {
    contexts.set(name, { kind: 'local', exclude: parseIgnoreFile(context.ignore) });
  }
  for (const name of named.images.keys()) contexts.set(name, { kind: 'image' });
  for (const name of named.empty) contexts.set(name, { kind: 'scratch' });
  for (const [name, op] of named.remotes) {
    contexts.set(name, { kind: 'source', op, shown: `[context ${name}] ${op.attrs['git.fullurl'] ?? op.identifier}` });
  }
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const hostname = options.buildArgs?.['BUILDKIT_SANDBOX_HOSTNAME'] ?? options.hostname;
  const network = options.network === undefined || options.network === 'default' ? 'sandbox' : options.network;
  return await convertDockerfile(
    dockerfile,
    {
      ...watching,
      buildPlatform: hostPlatform(),
      contexts,
      ...(context && { mainContext: context }),
      contextExclude: parseIgnoreFile(ignore),
      network,
      noCache: options.noCache ?? false,
      buildArgs: options.buildArgs ?? {},
      labels: options.labels ?? {},
      ...(options.target !== undefined && { target: options.target }),
      ...(options.noCacheFilter && { noCacheFilter: options.noCacheFilter }),
      ...(hostname && { hostname }),
      ...(options.addHosts && { extraHosts: options.addHosts }),
      ...(options.ulimits && { ulimits: options.ulimits }),
      ...(options.shmSize !== undefined && { shmSize: options.shmSize }),
      ...(options.platform !== undefined && { platform: parsePlatform(options.platform) }),
      ...(epoch !== undefined && epoch !== '' && { sourceDateEpoch: epochSeconds(epoch) }),
    },
    bases,
    options,
  );
}

function epochSeconds(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new BuildError('USAGE', `invalid SOURCE_DATE_EPOCH \`${text}\``, {
    hint: 'it is a whole number of seconds since 1970',
  });
}
