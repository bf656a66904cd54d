import type { RefView } from '../layer/ref-view.js';

export interface OsPackages {
  readonly manager: 'dpkg' | 'apk';
  readonly count: number;
}

const MAX_BYTES = 64 * 1024 * 1024;

/** The packages that the distribution's package manager knows as installed; undefined without a known database. */
export async function osPackages(view: RefView): Promise<OsPackages | undefined> {
  const dpkg = await view.readFile('var/lib/dpkg/status', MAX_BYTES);
  if (dpkg) {
    const paragraphs = dpkg.toString('utf8').split(/\n\n+/);
    const count = paragraphs.filter((one) => /^Status: \S+ \S+ installed$/m.test(one)).length;
    return { manager: 'dpkg', count };
  }
  const apk = await view.readFile('lib/apk/db/installed', MAX_BYTES);
  if (apk) return { manager: 'apk', count: (apk.toString('utf8').match(/^P:/gm) ?? []).length };
  return undefined;
}
