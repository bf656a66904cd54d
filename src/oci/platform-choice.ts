import { formatPlatform, normalizePlatform, type Platform } from './platform.js';

/**
 * What runs where `want` is asked for, the best first: the same, then what its processor runs as well. As containerd
 * chooses from an index (platforms/compare.go, `platformVector`).
 */
export function compatiblePlatforms(want: Platform): readonly Platform[] {
  const own = normalizePlatform(want);
  const { architecture } = own;
  const level = Number(own.variant?.replace(/^v/, '') ?? '');
  if (architecture === 'amd64') return [own, ...lower(own, level, 1), { os: own.os, architecture: '386' }];
  if (architecture === 'arm') return [own, ...lower(own, level, 5)];
  if (architecture === 'arm64') {
    return [own, ...compatiblePlatforms({ ...own, architecture: 'arm', variant: own.variant ?? 'v8' })];
  }
  return [own];
}

/** The one of `candidates` that suits `want` best; undefined when none does. */
export function choosePlatform<T extends { readonly platform?: Platform }>(
  candidates: readonly T[],
  want: Platform,
): T | undefined {
  const byName = new Map<string, T>();
  for (const one of candidates) {
    const name = one.platform && formatPlatform(normalizePlatform(one.platform));
    if (name !== undefined && !byName.has(name)) byName.set(name, one);
  }
  const name = compatiblePlatforms(want)
    .map((platform) => formatPlatform(normalizePlatform(platform)))
    .find((one) => byName.has(one));
  return name === undefined ? undefined : byName.get(name);
}

function lower(platform: Platform, level: number, lowest: number): readonly Platform[] {
  if (!(level > lowest)) return [];
  return Array.from({ length: level - lowest }, (_, i) => ({ ...platform, variant: `v${level - 1 - i}` }));
}
