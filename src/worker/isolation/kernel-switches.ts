import { readFileSync } from 'node:fs';
import { hasCode } from '../../base/errors.js';

/** Kernel switches that forbid user namespaces, with the value that does. */
export const USERNS_SWITCHES = {
  'kernel.apparmor_restrict_unprivileged_userns': '1',
  'user.max_user_namespaces': '0',
  'kernel.unprivileged_userns_clone': '0',
} as const;

export type UsernsSwitch = keyof typeof USERNS_SWITCHES;

/** What the switches are set to; those that the kernel does not have are left out. */
export function readUsernsSwitches(): Readonly<Partial<Record<UsernsSwitch, string>>> {
  const names = Object.keys(USERNS_SWITCHES) as UsernsSwitch[];
  const found = names.map((name) => [name, readKernelFile(`/proc/sys/${name.replaceAll('.', '/')}`)] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** What a file of /proc or /sys says, without white space around it; undefined where there is none or it is closed. */
export function readKernelFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM', 'EINVAL', 'ENOTDIR')) return undefined;
    throw error;
  }
}
