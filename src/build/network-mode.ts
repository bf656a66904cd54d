import { BuildError } from '../base/errors.js';
import { NETWORK_MODES, type NetworkMode } from '../executor/network/network-mode.js';

/** `SLIPWAY_NETWORK_MODE`; `auto` without it. Throws CONFIG_INVALID. */
export function networkModeOf(env: NodeJS.ProcessEnv): NetworkMode {
  const text = env['SLIPWAY_NETWORK_MODE'] || 'auto';
  const mode = NETWORK_MODES.find((one) => one === text);
  if (mode !== undefined) return mode;
  throw new BuildError('CONFIG_INVALID', `unknown network mode \`${text}\` in SLIPWAY_NETWORK_MODE`, {
    hint: `the modes are: ${NETWORK_MODES.join(', ')}`,
  });
}
