import os from 'node:os';
import { hasCode } from './errors.js';

/**
 * Where the user's own files lie. A user whom the machine does not know, as those of containers often are, has no home: then
 * `/`, which is what Docker says in such a case too.
 */
export function homeDirectory(env: NodeJS.ProcessEnv): string {
  if (env['HOME']) return env['HOME'];
  try {
    return os.homedir();
  } catch (error) {
    if (!hasCode(error, 'ERR_SYSTEM_ERROR')) throw error;
    return '/';
  }
}
