import { BuildError } from '../../base/errors.js';
import { formatPlatform, normalizePlatform, parsePlatform, type Platform } from '../../oci/platform.js';
import type { EnvList } from './env-list.js';

/** `linux/amd64`, or `linux/amd64->arm64` where a stage for one platform builds for another. */
export function platformPrefix(platform: Platform, env: EnvList): string {
  const base = formatPlatform(platform);
  const target = targetOf(platform, env);
  if (target === undefined) return base;
  if (target.os !== platform.os) return `${base}->${formatPlatform(target)}`;
  if (target.architecture === platform.architecture) return base;
  return `${base}->${target.architecture}${target.variant ? `/${target.variant}` : ''}`;
}

/** The platform that the TARGET arguments in `env` name. */
function targetOf(platform: Platform, env: EnvList): Platform | undefined {
  const whole = env.get('TARGETPLATFORM');
  if (whole !== undefined) {
    try {
      return parsePlatform(whole);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
    }
  }
  const os = env.get('TARGETOS');
  const architecture = env.get('TARGETARCH');
  const variant = env.get('TARGETVARIANT');
  if (os === undefined && architecture === undefined && variant === undefined) return undefined;
  return normalizePlatform({
    os: os || platform.os,
    architecture: architecture || platform.architecture,
    ...(variant && { variant }),
  });
}
