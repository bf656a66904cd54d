import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { BuildError, hasCode } from '../base/errors.js';
import { NETWORK_MODES, type NetworkMode } from '../executor/network/network-mode.js';
import { configFile } from '../registry/config.js';

/** `SLIPWAY_NETWORK_MODE`; undefined without it. Throws CONFIG_INVALID. */
export function networkModeOf(env: NodeJS.ProcessEnv): NetworkMode | undefined {
  const text = env['SLIPWAY_NETWORK_MODE'];
  const mode = NETWORK_MODES.find((one) => one === text);
  if (mode !== undefined || !text) return mode;
  throw new BuildError('CONFIG_INVALID', `unknown network mode \`${text}\` in SLIPWAY_NETWORK_MODE`, {
    hint: `the modes are: ${NETWORK_MODES.join(', ')}`,
  });
}

/** Nothing else of the file is looked at: who uses the other tables tells their faults. */
const config = v.looseObject({
  worker: v.optional(
    v.looseObject({
      oci: v.optional(
        v.looseObject({
          networkMode: v.optional(v.picklist(NETWORK_MODES, `must be one of: ${NETWORK_MODES.join(', ')}`)),
        }),
      ),
    }),
  ),
});

/**
 * `SLIPWAY_NETWORK_MODE`, else `networkMode` of `[worker.oci]` in `config.toml` (buildkitd's name for it), else `auto`. Throws
 * CONFIG_INVALID, for the file with its line.
 */
export async function loadNetworkMode(env: NodeJS.ProcessEnv): Promise<NetworkMode> {
  const own = networkModeOf(env);
  if (own !== undefined) return own;
  const file = configFile(env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return 'auto';
    throw new BuildError('CONFIG_INVALID', `cannot read \`${file}\``, { cause: error });
  }
  const { parseTable } = await import('../registry/toml-table.js'); // nobody without a file pays for it
  const { worker } = parseTable(text, file, { schema: config, keysAt: () => [], likeness: 'buildkitd.toml' });
  return worker?.oci?.networkMode ?? 'auto';
}
