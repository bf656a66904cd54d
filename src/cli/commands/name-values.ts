import { BuildError } from '../../base/errors.js';

/** `name=value` flags; where `env` is given, a bare name takes its value from there, or is left out. Throws USAGE. */
export function nameValues(flag: string, values: readonly string[], env?: NodeJS.ProcessEnv): Record<string, string> {
  const result: Record<string, string> = {};
  for (const value of values) {
    const equals = value.indexOf('=');
    if (equals > 0) result[value.slice(0, equals)] = value.slice(equals + 1);
    else if (equals === 0 || (!env && flag === '--build-context')) {
      throw new BuildError('USAGE', `invalid \`${flag} ${value}\``, { hint: `write it as \`${flag} name=value\`` });
    } else if (!env) result[value] = '';
    else if (env[value] !== undefined) result[value] = env[value];
  }
  return result;
}
